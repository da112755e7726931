"""A batch that is measured: what it has settled counts once, when it is committed."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal

import asyncpg
import psycopg
import pytest

from koshel.core.commands import Command, Group
from koshel.core.legs import SplitTarget
from koshel.db.errors import Conflict, Obstructed, cause_of, translated
from koshel.db.pools import TimeLimits
from koshel.db.settling.claims import ClaimQueued
from koshel.db.settling.timed import TimedBatch
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import settle_again
from koshel.settle import settle
from koshel.settle_free import settle_free
from koshel.telemetry import metrics
from koshel.telemetry.tally import Series
from tests.support.database import Database
from tests.support.settled import open_accounts, opening
from tests.support.split_legs import split
from tests.support.wallets import enqueue, payment, transfer, withdrawal


@pytest.fixture
async def measured(database: Database) -> AsyncIterator[Store]:
    """A store whose batches are."""
    config = StoreConfig(database.service_url, limits=TimeLimits(lock_timeout_ms=50), measured=True)
    async with open_store(config) as store:
        yield store


class Since:
    """What was counted in this process since then."""

    def __init__(self) -> None:
        self._before = metrics.SHARED.read()

    def __call__(self, number: str) -> Mapping[tuple[str, ...], float]:
        """Each series that has changed, by its first cell; of a histogram, its observations."""
        before, after = self._before[number], metrics.SHARED.read()[number]
        changed = {values: _count(cells) - _count(before.get(values, [0])) for values, cells in after.items()}
        return {values: change for values, change in changed.items() if change}

    def total(self, number: str) -> float:
        """Of a histogram: the sum of all that it has observed."""
        now, before = metrics.SHARED.read()[number], self._before[number]
        return _last(now) - _last(before)


def _count(cells: list[float]) -> float:
    return cells[0] if len(cells) == 1 else sum(cells[:-1])


def _last(series: Series) -> float:
    return sum(cells[-1] for cells in series.values())


async def test_each_command_counts_by_what_became_of_it(measured: Store) -> None:
    ann, bob = await open_accounts(measured, opening(), opening())
    since = Since()
    await settle(measured, [payment(ann, "10"), payment(bob, "10")])
    keyed = transfer(ann, bob, "1", key="k")
    await settle(measured, [keyed, transfer(ann, bob, "100"), withdrawal(ann, "1"), withdrawal(999, "1")])
    await settle(measured, [keyed])
    assert since("koshel_transactions_total") == {("payment",): 2, ("transfer",): 1, ("withdrawal",): 1}
    assert since("koshel_refusals_total") == {("insufficient-funds",): 1, ("account-not-found",): 1}
    assert since("koshel_replays_total") == {(): 1}
    assert since("koshel_batch_commands") == {(): 3}
    assert since.total("koshel_batch_commands") == 7
    steps = {(step,): 3.0 for step in ("resolve", "lock", "decide", "write", "commit")}
    assert since("koshel_batch_step_seconds") == steps


async def test_members_count_one_by_one_and_of_an_atomic_batch_that_is_refused_the_member_too(measured: Store) -> None:
    ann, bob = await open_accounts(measured, opening(), opening())
    await settle(measured, [payment(ann, "10")])
    since = Since()
    members = (transfer(ann, bob, "1"), transfer(ann, bob, "100"), transfer(ann, bob, "2"))
    await settle(measured, [Group(1, members, atomic=False)])
    assert since("koshel_transactions_total") == {("transfer",): 2}
    assert since("koshel_refusals_total") == {("insufficient-funds",): 1}
    assert since.total("koshel_batch_commands") == 3
    since = Since()
    await settle(measured, [Group(1, members, atomic=True)])
    assert not since("koshel_transactions_total")
    assert since("koshel_refusals_total") == {("insufficient-funds",): 1, ("batch-refused",): 1}


async def test_the_legs_of_a_split_that_was_queued_count_as_those_of_one_that_is_decided_now(measured: Store) -> None:
    ann, bob, cat = await open_accounts(measured, opening(), opening(), opening())
    await settle(measured, [payment(ann, "10")])
    legs = (SplitTarget(bob, share="1/3"), SplitTarget(cat, remaining=True))
    one = split("5", source=ann, targets=legs)
    for now, then in (([one], []), ([enqueue(one)], [ClaimQueued(1, 10)])):
        since = Since()
        await settle(measured, [*now])
        if then:
            await settle(measured, [*then])
        assert since("koshel_transactions_total") == {("transfer",): 2}


async def test_what_is_settled_without_waiting_counts_the_same(measured: Store) -> None:
    (ann,) = await open_accounts(measured, opening())
    since = Since()
    await settle_free(measured, [payment(ann, "10")])
    assert since("koshel_transactions_total") == {("payment",): 1}
    assert since("koshel_batch_step_seconds")[("lock",)] == 1


async def test_a_batch_that_is_not_committed_counts_nowhere(measured: Store) -> None:
    (ann,) = await open_accounts(measured, opening())
    since = Since()
    with pytest.raises(RuntimeError, match="in the middle"):  # noqa: PT012  the whole of a batch, but for its end
        async with measured.batch() as batch:
            assert isinstance(batch, TimedBatch)
            resolved = await batch.resolve([payment(ann, "10")])
            await batch.lock(resolved)
            raise RuntimeError("in the middle")
    assert not since("koshel_transactions_total")
    assert not since("koshel_batch_commands")
    assert not since("koshel_batch_step_seconds")


async def test_a_store_that_is_not_asked_to_measures_nothing(store: Store) -> None:
    since = Since()
    (ann,) = await open_accounts(store, opening())
    await settle(store, [payment(ann, "10")])
    assert not since("koshel_batch_commands")
    assert not since("koshel_transactions_total")


async def test_a_lock_that_was_waited_for_in_vain_is_counted(measured: Store, database: Database) -> None:
    (ann,) = await open_accounts(measured, opening())
    since = Since()
    async with await psycopg.AsyncConnection.connect(database.owner_url) as other:
        await other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [ann])
        with pytest.raises(Obstructed):
            await settle(measured, [payment(ann, "10")])
    assert since("koshel_lock_timeouts_total") == {(): 1}


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (asyncpg.DeadlockDetectedError("deadlock detected"), "deadlock"),
        (asyncpg.SerializationError("could not serialize access"), "serialization"),
        (asyncpg.UniqueViolationError('violates "receipt_pkey"'), "twin"),
    ],
)
async def test_what_is_settled_again_is_counted_by_its_cause(measured: Store, error: Exception, cause: str) -> None:
    if isinstance(error, asyncpg.UniqueViolationError):
        error.constraint_name = "receipt_pkey"
    (ann,) = await open_accounts(measured, opening())
    tries: list[int] = []

    class Unlucky:
        def batch(self) -> object:
            tries.append(1)
            if len(tries) < 3:
                with translated():
                    raise error
            return measured.batch()

    async def at_once(_: float) -> None:
        pass

    since = Since()
    commands: list[Command] = [payment(ann, str(Decimal(10)))]
    await settle_again(Unlucky(), commands, sleep=at_once)  # type: ignore[arg-type]
    assert since("koshel_settled_again_total") == {(cause,): 2}
    assert since("koshel_transactions_total") == {("payment",): 1}


def test_a_conflict_without_a_cause_is_a_commit_that_was_lost() -> None:
    assert cause_of(Conflict("the connection was lost before COMMIT took effect")) == "commit-lost"
