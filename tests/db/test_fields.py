"""Every field of every request is compared under its key, stored, read back, shown and proved.

Nothing here is listed by hand but what a field is instead: a new field that is forgotten anywhere fails a test.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from koshel.core import receipts
from koshel.core.commands import (
    ChangeAccount,
    Command,
    Direct,
    Enqueue,
    Group,
    HoldEnd,
    OpenAccount,
    Refund,
    Request,
    Split,
)
from koshel.core.model import Changed, Declined, Grouped, Opened, Outcome, Posted, Queued, Refusal, Replayed
from koshel.core.money import plain
from koshel.db.mapping.sides import flat
from koshel.db.mapping.tables import ACCOUNT, TRANSACTION, Columns
from koshel.db.store import Store, StoreConfig, open_store
from koshel.http.bodies import wire
from koshel.settle import settle
from tests.support.database import Database
from tests.support.samples import BY_NAME, NAMES, NOT_ASKED, asked, by_name, pair, sample
from tests.support.settled import exactly
from tests.support.wallets import enqueue, group, hold, payment

REQUESTS: list[type[Any]] = [*get_args(Request)]
ACCOUNTS: list[type[Any]] = [OpenAccount, ChangeAccount]
# Fields that no column has by their name, and where they are to be seen instead.
SEEN_ELSEWHERE: Mapping[str, str] = {
    "expires_in": "the moment, expires_at, follows from it",
    "final": "what is left of the hold, and so its status, follows from it",
    "metadata_patch": "it is merged into metadata",
    "expected": "a condition: it changes nothing",
    "unexpected": "a condition: it changes nothing",
}


@pytest.fixture
async def later(store: Store, database: Database) -> AsyncIterator[Store]:
    """A store that knows of the first one's doing only what is on the books: three accounts with money."""
    await settle(store, [OpenAccount(1, "a@example.com", "USD", Decimal(-100), name=name) for name in NAMES.values()])
    await settle(store, [payment(account_id, "100") for account_id in (1, 2, 3)])
    async with open_store(StoreConfig(database.service_url)) as later:
        yield later


async def first_of(store: Store, kind: type[Any], **given: Any) -> Any:
    """A request that will be posted: what it follows is on the books."""
    if issubclass(kind, (*get_args(HoldEnd), Refund)):
        (parent,) = await settle(store, [payment(1, "5") if kind is Refund else hold(1, 2, "5")])
        assert isinstance(parent, Posted)
        given["parent_id"] = parent.id
    return sample(kind, **given)


def others(kind: type[Any], first: Any) -> Mapping[str, Any]:
    """By the name of a field that a key remembers, as it is sent: the same request with another value there."""
    values = {name: first.parent_id + 1_000 if name == "parent_id" else pair(kind, name)[1] for name in asked(kind)}
    sent_as = {"kind": "hold"} if kind is Split else {}
    return {sent_as.get(name, name): replace(first, **{name: value}) for name, value in values.items()}


async def compare(store: Store, first: Command, outcome: Outcome, changed: Mapping[str, Command]) -> None:
    """The same again has the same answer; each changed one is refused, and told in which field it differs."""
    (again,) = await settle(store, [first])
    assert isinstance(again, Replayed)
    assert exactly(again.first) == exactly(outcome)
    for field, command in changed.items():
        (refused,) = await settle(store, [command])
        assert isinstance(refused, Declined)
        assert (refused.refusal, refused.facts) == (Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})


def test_what_a_key_does_not_remember_is_declared() -> None:
    assert NOT_ASKED.keys() == receipts._NOT_ASKED


@pytest.mark.parametrize("kind", [*REQUESTS, *ACCOUNTS])
async def test_every_field_is_compared_under_a_reused_key(store: Store, later: Store, kind: type[Any]) -> None:
    first = await first_of(store, kind, key="k")
    (outcome,) = await settle(store, [first])
    assert isinstance(outcome, Posted | Opened | Changed | Grouped), outcome
    await compare(later, first, outcome, others(kind, first))


@pytest.mark.parametrize("kind", [*get_args(Direct), ChangeAccount])
@pytest.mark.parametrize("is_queued", [False, True])
async def test_an_account_is_compared_as_it_was_asked_for(
    store: Store, later: Store, kind: type[Any], *, is_queued: bool
) -> None:
    def sent(command: Any) -> Command:
        return enqueue(command) if is_queued and kind is not ChangeAccount else command

    by_id = sample(kind, key="k")
    named = by_name(by_id)
    (outcome,) = await settle(store, [sent(named)])
    assert isinstance(outcome, Posted | Changed | Queued), outcome
    changed = {BY_NAME.get(name, name): sent(by_name(one)) for name, one in others(kind, by_id).items()}
    await compare(later, sent(named), outcome, changed)
    first_id = next(name for name in BY_NAME if name in kind.__struct_fields__)
    await compare(later, sent(named), outcome, {first_id: sent(by_id)})
    unnamed, name = replace(by_id, key="by id"), BY_NAME[first_id]
    (outcome,) = await settle(store, [sent(unnamed)])
    await compare(later, sent(unnamed), outcome, {name: sent(by_name(unnamed))})


@pytest.mark.parametrize("kind", REQUESTS)
async def test_every_field_of_a_queued_request_is_compared(store: Store, later: Store, kind: type[Any]) -> None:
    first = await first_of(store, kind, key="k")
    assert [*asked(Enqueue)] == ["command", "execute_at"]
    now, then = pair(Enqueue, "execute_at")
    for number, (execute_at, other) in enumerate([(UNSET, now), (now, UNSET), (now, then)]):
        promised = enqueue(replace(first, key=f"k{number}"), execute_at)
        (outcome,) = await settle(store, [promised])
        assert isinstance(outcome, Queued)
        changed = {name: enqueue(one, execute_at) for name, one in others(kind, promised.command).items()}
        changed["execute_at"] = enqueue(promised.command, other)
        await compare(later, promised, outcome, changed)


@pytest.mark.parametrize("kind", REQUESTS)
async def test_what_was_posted_is_not_what_is_asked_for_later(store: Store, later: Store, kind: type[Any]) -> None:
    first = await first_of(store, kind, key="k")
    (outcome,) = await settle(store, [first])
    await compare(later, first, outcome, {"execute_at": enqueue(first, pair(Enqueue, "execute_at")[0])})
    (again,) = await settle(later, [enqueue(first)])
    assert isinstance(again, Replayed)


@pytest.mark.parametrize(
    ("kind", "is_named"), [*[(kind, False) for kind in REQUESTS], *[(kind, True) for kind in get_args(Direct)]]
)
async def test_every_field_of_a_member_is_compared(
    store: Store, later: Store, kind: type[Any], *, is_named: bool
) -> None:
    member = await first_of(store, kind)
    others_of = others(kind, member)
    if is_named:
        member = by_name(member)
        others_of = {BY_NAME.get(name, name): by_name(one) for name, one in others_of.items()}
    first = group(member, key="k")
    (outcome,) = await settle(store, [first])
    changed = {f"transactions/0/{name}": group(one, key="k") for name, one in others_of.items()}
    changed["transactions/0/idempotency_key"] = group(replace(member, key="m"), key="k")
    of_the_group = {"atomic": ("atomic", False), "members": ("transactions", (member, member))}
    for name in asked(Group):
        field, value = of_the_group[name]
        changed[field] = replace(first, **{name: value})
    await compare(later, first, outcome, changed)


def as_shown(value: Any) -> Any:
    """A column's value, as an answer over HTTP has it."""
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return wire.time(value)
        case date():
            return value.isoformat()
        case tuple():
            ways = [(one.per, {"out": one.out, "in": one.in_}) for one in value]
            return [{"per": per} | {way: plain(most) for way, most in its.items() if most} for per, its in ways] or None
        case _:
            return value


def columns_of(one: Any, columns: Columns) -> dict[str, Any]:
    """A transaction's, or an account's, values by the names of its columns."""
    if isinstance(one, Posted):
        return {column.name: getattr(one, column.at) for column in columns if not column.side} | flat(one)
    return {column.name: getattr(one, column.attribute) for column in columns if column.at.startswith("account.")}


def see(request: Any, values: Mapping[str, Any], shown: Mapping[str, Any], columns: Columns) -> None:
    """What was asked is in a column, if it is not declared to be elsewhere; and what is shown is what is stored."""
    for name in asked(type(request)):
        if name not in SEEN_ELSEWHERE:
            assert values["id" if name == "account_id" else name] == getattr(request, name), name
    for column in columns:
        if column.shown:
            assert shown.get(column.name) == as_shown(values[column.name]), column.name


async def test_every_field_of_a_transaction_is_stored_read_back_and_shown(store: Store, later: Store) -> None:
    seen: set[str] = set()
    requests = [await first_of(store, kind, key=f"k{n}") for n, kind in enumerate(REQUESTS)]
    away = group(await first_of(store, REQUESTS[0]), hold(2, None, "1"), hold(3, 2, "1"), payment(3, "1"))
    *alone, grouped = await settle(store, [*requests, away])
    assert isinstance(grouped, Grouped)
    single = [(request, one) for request, one in zip(requests, alone, strict=True) if not isinstance(one, Grouped)]
    several = [(None, leg) for one in (*alone, grouped) if isinstance(one, Grouped) for leg in one.outcomes]
    for request, one in [*single, *several]:
        assert isinstance(one, Posted), one
        found = await later.get_transaction(1, one.id)
        assert found is not None
        assert found.transaction == replace(one, request=None, rest=None)
        values = columns_of(found.transaction, TRANSACTION)
        shown = msgspec.to_builtins(wire.standing(found))
        for side, told in (("source", one.source), ("target", one.target)):
            assert shown.get(side) == (None if told is None else NAMES[told.account_id])
        if one.effective_on is None:  # then it is not stored, and its own day is shown
            assert shown.pop("effective_on") == wire.time(one.ctime)[:10]
        if request is not None:
            see(request, values, shown, TRANSACTION)
            assert values["idempotency_key"] == request.key
        seen |= {name for name, value in values.items() if value}
    assert seen == {column.name for column in TRANSACTION}, "every column had a value once"


@pytest.mark.parametrize("kind", ACCOUNTS)
async def test_every_field_of_an_account_is_stored_read_back_and_shown(
    store: Store, later: Store, kind: type[Any]
) -> None:
    request = await first_of(store, kind, key="k")
    (outcome,) = await settle(store, [request])
    assert isinstance(outcome, Opened | Changed), outcome
    account = await later.get_account(1, outcome.account.id)
    assert account == outcome.account
    values = columns_of(account, ACCOUNT)
    see(request, values, msgspec.to_builtins(wire.account(account)), ACCOUNT)
    assert values.keys() == {column.name for column in ACCOUNT} - {"idempotency_key"}, "the receipt has that"
