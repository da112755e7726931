"""The holds of a split end together on a real database: their key, their group, the queue, and a race."""

import asyncio
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from koshel.core.commands import Command, OpenAccount
from koshel.core.ending import EndSplit
from koshel.core.model import Declined, Executed, Grouped, Outcome, Posted, Queued, Refusal, Replayed
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.samples import asked, pair, sample
from tests.support.settled import exactly, open_accounts, query, refusals
from tests.support.split_legs import end, split, to
from tests.support.wallets import enqueue, payment, postings, void

pytestmark = pytest.mark.usefixtures("books")


class Held(NamedTuple):
    """A split of holds."""

    id: int
    holds: tuple[int, ...]

    def ended(self, **fields: Any) -> EndSplit:
        return replace(end("capture", *self.holds, split_id=self.id), **fields)


async def held(store: Store, amount: str = "10") -> Held:
    (made,) = await settle(store, [split(amount, source=1, targets=[to(2, "1/3"), to(3)], is_hold=True)])
    assert isinstance(made, Grouped)
    assert made.group_id is not None
    return Held(made.group_id, tuple(one.id for one in postings([made])))


@pytest.fixture
async def rich(store: Store) -> Store:
    """Account 1 has 1,000.00; 2 and 3 have nothing."""
    await open_accounts(store, *[OpenAccount(1, "ann@example.com", max_balance=None) for _ in range(3)])
    await settle(store, [payment(1, "1000")])
    return store


def group_of(outcome: Outcome) -> Grouped:
    assert isinstance(outcome, Grouped), outcome
    return outcome


@pytest.mark.parametrize("kind", ["capture", "void"])
@pytest.mark.parametrize("key", [None, "k"])
async def test_it_has_a_group_of_its_own(rich: Store, database: Database, kind: Any, key: str | None) -> None:
    both = [await held(rich), await held(rich, "3")]
    outcomes = await settle(rich, [both[0].ended(kind=kind, key=key), payment(1, "1"), both[1].ended(kind=kind)])
    first, second = group_of(outcomes[0]), group_of(outcomes[2])
    assert len({first.group_id, second.group_id, both[0].id, both[1].id}) == 4
    found = query(
        database, f"SELECT group_id, parent_id, idempotency_key FROM transaction WHERE kind = '{kind}' ORDER BY id"
    )
    expected = [(one.group_id, id_, None) for one, its in zip((first, second), both, strict=True) for id_ in its.holds]
    assert found == expected
    assert {one.group_id for one in postings([first])} == {first.group_id}


async def test_a_key_gives_its_answer_to_whoever_asks_again(rich: Store, database: Database) -> None:
    asking = (await held(rich)).ended(key="k", reference="parcel", metadata={"of": "ann"})
    (outcome,) = await settle(rich, [asking])
    before = query(database, "SELECT count(*) FROM transaction")
    async with open_store(StoreConfig(database.service_url)) as other:
        (again,) = await settle(other, [asking])
    assert isinstance(again, Replayed)
    assert exactly(again.first) == exactly(outcome)
    assert query(database, "SELECT count(*) FROM transaction") == before


async def test_a_refusal_is_kept_under_its_key(rich: Store, database: Database) -> None:
    of = await held(rich)
    await settle(rich, [void(of.holds[1])])
    (refused,) = await settle(rich, [of.ended(key="k")])
    assert isinstance(refused, Declined)
    async with open_store(StoreConfig(database.service_url)) as other:
        (again,) = await settle(other, [of.ended(key="k")])
    assert again == Replayed(refused)


@pytest.mark.parametrize("is_queued", [False, True])
async def test_every_field_is_compared_under_a_reused_key(rich: Store, database: Database, *, is_queued: bool) -> None:
    def sent(one: EndSplit) -> Command:
        return enqueue(one) if is_queued else one

    of = await held(rich)
    first = sample(EndSplit, key="k", holds=of.holds, split_id=of.id)
    (outcome,) = await settle(rich, [sent(first)])
    assert refusals([outcome]) == [None]
    async with open_store(StoreConfig(database.service_url)) as other:
        (again,) = await settle(other, [sent(first)])
        assert isinstance(again, Replayed)
        assert exactly(again.first) == exactly(outcome)
        for name in asked(EndSplit):
            (refused,) = await settle(other, [sent(replace(first, **{name: pair(EndSplit, name)[1]}))])
            assert isinstance(refused, Declined)
            assert (refused.refusal, refused.facts) == (Refusal.IDEMPOTENCY_KEY_REUSED, {"field": name})


async def test_what_was_queued_is_executed_whole_and_its_first_transaction_is_the_one_that_was_promised(
    rich: Store, database: Database
) -> None:
    one, other, lost = await held(rich), await held(rich, "3"), await held(rich, "6")
    asked_for = [one.ended(key="k"), other.ended(kind="void"), lost.ended(key="lost")]
    promised = await settle(rich, [enqueue(each) for each in asked_for])
    ids = [each.id for each in promised if isinstance(each, Queued)]
    await settle(rich, [void(lost.holds[0])])
    (claimed,) = await settle(rich, [ClaimQueued(1, 10)])
    executed = [each for each in group_of(claimed).outcomes if isinstance(each, Executed)]
    *made, declined = [each.outcome for each in executed]
    assert [each.id for each in (postings([each])[0] for each in made)] == ids[:2]
    assert isinstance(declined, Declined)
    assert (declined.refusal, declined.facts) == (Refusal.BATCH_REFUSED, {"index": 0})
    keys = query(
        database,
        "SELECT idempotency_key, count(DISTINCT group_id) FROM transaction WHERE kind <> 'hold' "
        "AND group_id IS NOT NULL GROUP BY 1 ORDER BY 1",
    )
    assert keys == [("k", 1), (None, 2)]
    assert query(database, "SELECT id, answer ->> 'refusal' FROM declined") == [(ids[2], "batch-refused")]
    again = await settle(rich, [enqueue(asked_for[0]), asked_for[0]])
    assert [type(each.first) for each in again if isinstance(each, Replayed)] == [Queued, Queued]


async def test_a_capture_and_a_void_at_once_end_all_holds_one_way(rich: Store, database: Database) -> None:
    async with open_store(StoreConfig(database.service_url)) as other:
        for _ in range(8):
            of = await held(rich, "2")
            both = await asyncio.gather(settle_again(rich, [of.ended()]), settle_again(other, [of.ended(kind="void")]))
            outcomes = [outcome for each in both for outcome in each]
            assert sorted(map(str, refusals(outcomes))) == ["None", "batch-refused"]
            done = next(one for one in outcomes if isinstance(one, Grouped))
            assert len([one for one in done.outcomes if isinstance(one, Posted)]) == 2


async def test_a_rehearsal_ends_nothing(rich: Store, database: Database) -> None:
    of = await held(rich)
    (told,) = await settle(rich.rehearsals, [of.ended(key="k")])
    assert [(one.id, str(one.amount)) for one in postings([told])] == [(0, "3.33"), (0, "6.67")]
    assert query(database, "SELECT count(*) FROM hold") == [(2,)]
