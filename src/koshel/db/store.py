"""The database as `settle` and the routes see it: rows in, structs out.

A batch is one transaction. If its connection dies in COMMIT, the fence inserts the same batch id: this waits for an old
backend that still lives, and if there is none, the row that is left makes sure that the batch never happens.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from koshel import events
from koshel.db.errors import Conflict, NoPartition, Obstructed, OutcomeUnknown, StoreError, translated
from koshel.db.gate import Gate
from koshel.db.lease import End, commit, lease, undo
from koshel.db.namespace import Namespace
from koshel.db.pools import PoolMeasure, TimeLimits, open_pool
from koshel.db.row_security import confined
from koshel.db.settling.batch import Batch
from koshel.db.settling.batches import Batches, Impatient
from koshel.db.settling.claims import ClaimHolds, ClaimQueued
from koshel.db.settling.known import Known
from koshel.db.settling.lock_wait import LockWait
from koshel.db.settling.parts import Parts, Prepared
from koshel.db.settling.strangers import Strangers
from koshel.db.settling.traced import batch_maker
from koshel.db.sharing.calls import CallLimits
from koshel.db.sharing.lending import Lender, LendingLimits
from koshel.db.url import Target, parse
from koshel.events import Reminder
from koshel.telemetry import metrics

if TYPE_CHECKING:
    from koshel.db.pools import Connection, Pool
    from koshel.telemetry.tracing import Tracing

FENCE_PAUSE_S = 0.1
BLOCKED = "Obstructed: another transaction has locked an account for long"  # or what is due before it waits for that
REHEARSALS_WAITING_MAX = 50  # for each connection

T = TypeVar("T")
BatchT = TypeVar("BatchT", bound=Batch)

_log = events.get_logger()


class StoreConfig(Struct, frozen=True):
    """Where the database is and how much of it to use."""

    url: str | Target  # or what was read of it
    schema: str | None = None  # of the tables; None: where they are
    settle_connections: int = 8
    read_connections: int = 4
    rehearsal_connections: int = 2
    queue_max: int = 10_000  # reads that may wait for a connection
    queue_timeout_ms: int = 10_000  # for how long, and rehearsals too
    read_target_ms: int = 1_000  # for how long they should at most
    outcome_timeout_ms: int = 15_000  # how long to ask whether a lost commit happened
    limits: TimeLimits = TimeLimits()
    gate: Gate | None = None  # closed until the start has reached the database, if it is still away
    measured: bool = False  # whether batches are, for the metrics
    tracing: "Tracing | None" = None  # where batches have spans


class Delay(NamedTuple):
    """Before a queued transaction is tried again: first so many seconds, then twice as many, at most `most_s`."""

    first_s: float
    most_s: float


class Store(Lender):
    """Open it with `open_store`."""

    def __init__(
        self, config: StoreConfig, namespace: Namespace, settling: "Pool", reading: "Pool", rehearsing: "Pool"
    ) -> None:
        wait_s, target_s = config.queue_timeout_ms / 1_000, config.read_target_ms / 1_000
        rehearsals = config.rehearsal_connections
        limits = LendingLimits(
            CallLimits(config.read_connections, config.queue_max, wait_s, target_s),
            CallLimits(rehearsals, rehearsals * REHEARSALS_WAITING_MAX, wait_s, target_s),
            config.limits.answer_timeout_s,
        )
        super().__init__(namespace, reading, rehearsing, limits)
        self._outcome_timeout_s = config.outcome_timeout_ms / 1_000
        self._acquire_timeout_s = config.limits.answer_timeout_s
        self._settling = settling
        self._make_batch = batch_maker(config.tracing, measured=config.measured)
        self._batches_open = 0
        self._known = Known()
        self.strangers = Strangers()
        self._lock_wait = LockWait(config.limits.lock_timeout_ms)

    def batch(self, wait_ms: int | None = None) -> AbstractAsyncContextManager[Batch]:
        """A transaction for one batch, committed at the end; `wait_ms`: for a lock. Raises StoreError."""
        batch = self._make_batch(self.namespace, self._known, self.strangers)
        batch.wait_ms = wait_ms
        return self._transaction(batch)

    def parts(self, work: Prepared) -> AbstractAsyncContextManager[Parts]:
        """The same for a batch in parts, which waits for a lock as those of `waiting` do. Raises StoreError."""
        parts = Parts(self.namespace, work)
        parts.wait_ms = self._lock_wait.ms
        return self._transaction(parts, teaches=False)  # so long no other should wait that has locks itself

    @asynccontextmanager
    async def _transaction(self, batch: BatchT, *, teaches: bool = True) -> AsyncIterator[BatchT]:
        """`teaches`: how long it held its locks says how long others wait for theirs."""
        end = End.NOT_REACHED
        self._batches_open += 1
        try:
            with translated():
                async with lease(self._settling, self._acquire_timeout_s) as connection:
                    transaction = connection.transaction(isolation="read_committed")
                    await transaction.start()
                    batch.connection = connection
                    try:
                        yield batch
                    except BaseException as error:
                        await undo(connection, transaction, error)
                        raise
                    end = await commit(connection, transaction)
                    if batch.locked_at is not None and teaches:
                        self._lock_wait.held(time.monotonic() - batch.locked_at)
        except Exception as error:
            # Giving the connection back can fail too. What is committed stays so; what is lost is asked for below.
            if end is End.NOT_REACHED:
                if isinstance(error, Obstructed):
                    metrics.LOCK_TIMEOUTS.add()
                batch.ended(error)
                if isinstance(error, NoPartition):
                    await self.need_partitions()
                raise
        finally:
            self._batches_open -= 1
        # Without a row of its own there is nothing to ask for, and nothing that could be missing.
        ledger_id = batch.written_ledger_id if end is End.LOST else None
        try:
            if ledger_id is not None and not await self._committed(ledger_id, batch):
                raise Conflict("the connection was lost before COMMIT took effect")
        except StoreError as error:
            batch.ended(error)
            raise
        batch.ended()

    def waiting(self) -> Batches:
        """Batches that wait for a lock as long as another batch may hold it, and not as long as a stranger may."""
        return Impatient(self.batch, self._lock_wait.ms)

    async def due(self) -> Sequence[ClaimQueued | ClaimHolds]:
        """A claim for each ledger that has something due; their counts are still 0. Raises StoreError."""
        found = await self._read(None, lambda connection: connection.fetch(self._queries.find_due), weight=0)
        return [
            ClaimQueued(ledger_id, 0) if what == "queued" else ClaimHolds(ledger_id, 0) for what, ledger_id in found
        ]

    async def postpone(self, ledger_id: int, transaction_id: int, error: str, delay: Delay) -> None:
        """Not to try a queued transaction again for a while, the longer the more often it failed. Raises StoreError."""
        arguments = (ledger_id, transaction_id, error, *delay)
        await self._read(ledger_id, lambda connection: connection.execute(self._queries.postpone, *arguments), weight=0)

    async def note_blocked(self, ledger_id: int, transaction_ids: Sequence[int]) -> None:
        """That others' locks stop queued transactions, for whoever looks why they wait. Raises StoreError."""
        q, arguments = self._queries, (ledger_id, transaction_ids, BLOCKED)
        await self._read(ledger_id, lambda connection: connection.execute(q.note_blocked, *arguments), weight=0)

    def measure_pools(self) -> list[PoolMeasure]:
        """The connections to the database, and who waits for them."""
        settling = PoolMeasure.of("settle", self._settling, 0)
        return [replace(settling, waiting=max(0, self._batches_open - settling.used)), *self.measure_lent()]

    async def _committed(self, ledger_id: int, batch: Batch) -> bool:
        """Whether the batch has committed; after this it has or never will. Raises OutcomeUnknown."""
        reminder = Reminder()
        try:
            async with asyncio.timeout(self._outcome_timeout_s):
                while True:
                    try:
                        return await self._fence(ledger_id, batch)
                    except Exception as error:  # noqa: BLE001  whatever it is, it is no answer, and nothing else will do
                        if reminder.is_due():
                            _log.warning("asking whether a lost commit happened", error=str(error))
                        await asyncio.sleep(FENCE_PAUSE_S)
        except TimeoutError as error:
            raise OutcomeUnknown from error

    async def _fence(self, ledger_id: int, batch: Batch) -> bool:
        with translated():
            async with lease(self._settling, self._acquire_timeout_s) as connection:
                return await confined(
                    connection, self.namespace, ledger_id, partial(self._is_committed, ledger_id, batch)
                )

    async def _is_committed(self, ledger_id: int, batch: Batch, connection: "Connection") -> bool:
        await connection.execute(self._queries.fence_batch, ledger_id, batch.id)
        return bool(await connection.fetchval(self._queries.find_batch, ledger_id, batch.id))


@asynccontextmanager
async def open_store(config: StoreConfig) -> AsyncIterator[Store]:
    """A store with its three pools, closed at the end."""
    target, namespace = parse(config.url), Namespace(config.schema)
    async with AsyncExitStack() as stack:

        async def pool(name: str, size: int) -> "Pool":
            opened = open_pool(target, config.limits, size=size, name=name, namespace=namespace, gate=config.gate)
            return await stack.enter_async_context(opened)

        store = Store(
            config,
            namespace,
            await pool("settle", config.settle_connections),
            await pool("read", config.read_connections),
            await pool("rehearse", config.rehearsal_connections),
        )
        stack.push_async_callback(store.close)
        yield store
