"""Ids that are lent to accounts that a batch may open: a rehearsal's mean nothing, and no refusal tells them."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from koshel.core.commands import EnsureAccount
from koshel.core.model import Grouped
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.exchanges import exchange
from tests.support.settled import timeless
from tests.support.split_legs import of, split, to
from tests.support.wallets import by_names, group, payment, transfer

pytestmark = pytest.mark.usefixtures("proved")

EMAIL = "a@example.com"
IDS = {"id", "account_id", "source_account_id", "target_account_id", "group_id"}


def ids_of(value: Any) -> list[int | None]:
    """All ids in what an outcome says, and not in what was asked."""
    if isinstance(value, dict):
        own = [one for name, one in value.items() if name in IDS]
        return own + [id_ for name, one in value.items() if name not in {"command", "request"} for id_ in ids_of(one)]
    return [id_ for one in value for id_ in ids_of(one)] if isinstance(value, list | tuple) else []


def without_ids(value: Any) -> Any:
    """The same without ids, and without what was asked."""
    if isinstance(value, dict):
        return {k: without_ids(one) for k, one in value.items() if k not in IDS | {"command", "request"}}
    return [without_ids(one) for one in value] if isinstance(value, list | tuple) else value


async def test_accounts_that_are_opened_and_what_is_exchanged_between_them_are_rehearsed_as_they_happen(
    store: Store,
) -> None:
    openings = [EnsureAccount(1, name, EMAIL, currency) for name, currency in (("a", "USD"), ("b", "KWD"))]
    paid, drawn = by_names(payment(0, "10"), None, "a"), by_names(transfer(0, 0, "1"), "a", "exchange:USD")
    between = by_names(exchange(0, 0, "4", rate="0.5", accounts=()), "a", "b")
    parts = replace(split("0.01", target=0, sources=[of(0, "50%"), of(0, remaining=True)]), target="a")
    parts = replace(parts, sources=tuple(replace(one, source="exchange:USD") for one in parts.sources))
    together = group(*openings, paid, between, drawn, parts)
    (rehearsed,) = await settle(store.rehearsals, [together])
    assert isinstance(rehearsed, Grouped)
    assert set(ids_of(msgspec.to_builtins(rehearsed.outcomes))) == {0, None}
    (happened,) = await settle(store, [together])
    assert isinstance(happened, Grouped)
    assert without_ids(timeless(rehearsed)["outcomes"]) == without_ids(timeless(happened)["outcomes"])


async def test_where_an_account_is_not_opened_after_all_its_names_are_refused_as_if_alone(store: Store) -> None:
    asked: list[Any] = [
        *(by_names(one, "ph", "ph") for one in (transfer(0, 0, "1"), exchange(0, 0, "1", rate="1", accounts=()))),
        by_names(payment(0, "1"), None, "ph"),
        replace(split("1", source=0, targets=[replace(to(0, "1"), target="ph")]), source="ph"),
    ]
    alone = [outcome for one in asked for outcome in await settle(store, [one])]
    failing = EnsureAccount(1, "ph", EMAIL, "NOPE")
    (grouped,) = await settle(store, [group(failing, *asked, atomic=False)])
    assert isinstance(grouped, Grouped)
    for outcomes in (grouped.outcomes[1:], (await settle(store, [failing, *asked]))[1:]):
        assert [(one.refusal, one.facts) for one in outcomes] == [(one.refusal, one.facts) for one in alone]  # type: ignore[union-attr]
