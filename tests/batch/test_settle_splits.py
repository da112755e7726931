"""Splits on a real PostgreSQL: written with their transactions, restored by their keys. Then the books are proved."""

import asyncio
from decimal import Decimal

import pytest
from msgspec import UNSET

from koshel.core.commands import UNRESOLVED, OpenAccount
from koshel.core.legs import LeftOut, SplitSource, SplitTarget
from koshel.core.model import Grouped, Opened, Outcome, Posted, Refusal, Replayed
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle
from tests.support.database import Database
from tests.support.limited import limit, limiting
from tests.support.settled import open_accounts, query, refusals
from tests.support.split_legs import of, split, to
from tests.support.wallets import enqueue, group, payment, postings, transfer

pytestmark = pytest.mark.usefixtures("books")


@pytest.fixture
async def rich(store: Store) -> Store:
    """Accounts 1, 2 and 3 have 1,000.00 each."""
    await open_accounts(store, *[OpenAccount(1, "ann@example.com", max_balance=None) for _ in range(3)])
    await settle(store, [payment(account_id, "1000") for account_id in (1, 2, 3)])
    return store


def grouped(outcome: Outcome) -> Grouped:
    first = outcome.first if isinstance(outcome, Replayed) else outcome
    assert isinstance(first, Grouped)
    return first


async def test_a_split_has_a_row_that_says_its_amount_and_its_transactions(rich: Store, database: Database) -> None:
    plain, one, other = await settle(
        rich,
        [
            transfer(1, 2, "1"),
            split("10", source=1, targets=[to(2, "1/3"), to(3, "1/3"), to(2)]),
            split("4", target=3, sources=[of(1, "1.50"), of(2)], is_hold=True, seconds=60),
        ],
    )
    assert isinstance(plain, Posted)
    assert plain.group_id is None
    ids = [[leg.id for leg in postings([made])] for made in (one, other)]
    found = query(database, "SELECT id, amount, transaction_ids FROM split ORDER BY id")
    amounts = (Decimal("10.00"), Decimal("4.00"))
    assert found == [(grouped(made).group_id, *row) for made, *row in zip((one, other), amounts, ids, strict=True)]


async def test_a_key_gives_the_answer_of_then_with_what_was_left_out(rich: Store) -> None:
    tiny = split("0.01", source=1, targets=[to(2, "1/2"), to(3, "1/2")], key="tiny")
    (first,) = await settle(rich, [tiny])
    assert [type(one) for one in grouped(first).outcomes] == [Posted, LeftOut]
    again, in_a_batch = await settle(rich, [tiny, group(transfer(1, 2, "1"), tiny)])
    assert isinstance(again, Replayed)
    told = [(one.group_id, [type(leg) for leg in one.outcomes]) for one in map(grouped, (first, again))]
    assert told[0] == told[1]
    *_, member = grouped(in_a_batch).outcomes
    assert isinstance(member, Replayed)
    assert grouped(member).group_id == grouped(first).group_id


async def test_a_queued_split_may_name_an_account_that_is_opened_before_it_is_decided(rich: Store) -> None:
    late = SplitTarget(UNRESOLVED, "1/2", target="late"), SplitTarget(3, remaining=True)
    early = SplitSource(UNRESOLVED, source="late"), SplitSource(1)
    await settle(
        rich, [enqueue(split("6", source=1, targets=late, key="to")), enqueue(split("9", target=2, sources=early))]
    )
    (opened,) = await settle(rich, [OpenAccount(1, "eve@example.com", name="late")])
    assert isinstance(opened, Opened)
    (claimed,) = await settle(rich, [ClaimQueued(1, 10)])
    moved = [
        [(leg.source and leg.source.account_id, leg.target and leg.target.account_id, leg.amount) for leg in legs]
        for legs in (postings([one]) for one in grouped(claimed).outcomes)
    ]
    eve = opened.account.id
    three, six = Decimal("3.00"), Decimal("6.00")
    assert moved == [[(1, eve, three), (1, 3, three)], [(eve, 2, three), (1, 2, six)]]


async def test_what_a_split_moves_is_counted_for_limits_by_time(rich: Store) -> None:
    await settle(rich, [limiting(1, limit("1d", "10")), limiting(3, limit("1h", None, "1005"))])
    drawn, short, full = await settle(
        rich,
        [
            split("12", target=3, sources=[of(1), of(2)]),  # of the 1,005.00 that may come in, 1,000.00 have: none fits
            split("12", target=2, sources=[of(1), of(3)]),
            split("1", source=1, targets=[to(2, "1/2"), to(3)]),
        ],
    )
    assert refusals([drawn, short, full]) == [Refusal.LIMIT_EXCEEDED, None, Refusal.LIMIT_EXCEEDED]
    assert [str(leg.amount) for leg in postings([short])] == ["10.00", "2.00"]


@pytest.mark.parametrize("is_hold", [False, True])
async def test_two_workers_never_give_more_than_the_sources_have(
    rich: Store, database: Database, *, is_hold: bool
) -> None:
    commands = [
        split("100", target=3, sources=[of(1), of(2)], is_hold=is_hold, seconds=60 if is_hold else UNSET)
        for _ in range(15)
    ]
    async with open_store(StoreConfig(database.service_url)) as other:
        halves = await asyncio.gather(settle(rich, commands), settle(other, commands))
    outcomes = [one for half in halves for one in half]
    assert refusals(outcomes).count(None) == 20, "the 2,000.00 that both have, to the last cent"
    assert sum(leg.amount for leg in postings(outcomes)) == Decimal(2_000)
