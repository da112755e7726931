"""Accounts that are opened with limits by time, wherever the opening stands: what they move is counted from then on."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from koshel.core.commands import UNRESOLVED, ChangeAccount, Command, EnsureAccount, OpenAccount
from koshel.core.model import Refusal
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.database import Database
from tests.support.limited import limit
from tests.support.settled import refusals
from tests.support.wallets import group, payment, withdrawal

EXCEEDED = Refusal.LIMIT_EXCEEDED
LIMITS = (limit("1d", "5", "50"),)
OPENED = EnsureAccount(1, "a", "a@example.com", limits=LIMITS)
OTHER = EnsureAccount(1, "b", "b@example.com")
WAYS: dict[str, list[Command]] = {
    "by itself": [OPENED],
    "in a group": [group(OPENED)],
    "in a group that is not atomic": [group(OPENED, OTHER, atomic=False)],
    "beside another": [group(OPENED), group(OTHER)],
    "twice": [group(OPENED), OPENED, group(OPENED)],
}


@pytest.mark.parametrize("way", WAYS)
async def test_limits_hold_from_the_opening_on(store: Store, database: Database, way: str) -> None:
    assert set(refusals(await settle(store, WAYS[way]))) == {None}
    assert refusals(await settle(store, [payment(1, "50"), payment(1, "0.01")])) == [None, EXCEEDED]
    assert refusals(await settle(store, [withdrawal(1, "5"), withdrawal(1, "0.01")])) == [None, EXCEEDED]
    assert verify(database.owner_url) == []


async def test_one_is_opened_in_the_batch_that_moves_another(store: Store, database: Database) -> None:
    await settle(store, [OpenAccount(1, "c@example.com", limits=LIMITS)])
    asked: Sequence[Command] = [payment(1, "10"), group(OPENED), withdrawal(1, "5")]
    assert refusals(await settle(store, asked)) == [None] * 3
    assert refusals(await settle(store, [payment(2, "50.01"), withdrawal(1, "0.01")])) == [EXCEEDED] * 2
    assert verify(database.owner_url) == []


async def test_what_a_group_pays_into_the_account_that_it_opens_counts(store: Store, database: Database) -> None:
    paid = replace(payment(1, "30"), target="a", target_account_id=UNRESOLVED)
    assert refusals(await settle(store, [group(OPENED, paid)])) == [None]
    assert refusals(await settle(store, [payment(1, "20"), payment(1, "0.01")])) == [None, EXCEEDED]
    assert verify(database.owner_url) == []


async def test_one_that_is_opened_and_changed_in_one_batch_is_counted(store: Store, database: Database) -> None:
    await settle(store, [OTHER])
    assert refusals(await settle(store, [OTHER, ChangeAccount(1, 1, limits=LIMITS)])) == [None, None]
    assert refusals(await settle(store, [payment(1, "50"), payment(1, "0.01")])) == [None, EXCEEDED]
    assert verify(database.owner_url) == []
