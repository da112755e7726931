"""What settles: a store, a batcher before it, and what goes on in the background; opened and closed together."""

from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from koshel.background import Background, BackgroundLimits, open_background
from koshel.batching.answering import Free, Settle, Way
from koshel.batching.batcher import Batcher, open_batcher
from koshel.batching.waiting import BatcherLimits
from koshel.config.settings import Settings
from koshel.core.apart import Line, Lines, keys, lines
from koshel.core.commands import Command
from koshel.core.model import Outcome
from koshel.db.errors import DatabaseUnavailable, Obstructed, OutcomeUnknown
from koshel.db.gate import Gate
from koshel.db.pools import TimeLimits
from koshel.db.settling.strangers import Patience
from koshel.db.starting.opening import Wishes
from koshel.db.starting.proof import RISKS, Inspected
from koshel.db.store import Delay, Store, StoreConfig, open_store
from koshel.db.url import Target
from koshel.partitions import open_partitions
from koshel.retry import settle_again, settle_free_again
from koshel.telemetry import metrics

if TYPE_CHECKING:
    from koshel.telemetry.tracing import Tracing

NO_LINES: Lines = frozenset()


class Engine(Struct, frozen=True):
    """The engine of one process."""

    store: Store
    batcher: Batcher[Command, Outcome]
    background: Background


@asynccontextmanager
async def open_engine(
    settings: Settings,
    database_url: str | Target,
    *,
    background: bool = True,
    gate: Gate | None = None,
    tracing: "Tracing | None" = None,
) -> AsyncIterator[Engine]:
    """The engine; at the end what waits is settled, then the connections close.

    Without `background` it leaves queued transactions and expired holds to other processes.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(store_config(settings, database_url, gate, tracing)))
        batcher = await stack.enter_async_context(
            open_batcher(
                _patiently(store, settings.settle_attempts),
                free=_free(store, settings.settle_attempts),
                partition=_ledger if settings.partition_by == "ledger" else _database,
                limits=BatcherLimits(
                    batch_max=settings.batch_max,
                    flights_max=settings.batches_in_flight,
                    singles_max=settings.settle_connections,
                    queue_max=settings.queue_max,
                    queue_bytes_max=settings.queue_bytes_max,
                    queue_target_ms=settings.queue_target_ms,
                    queue_timeout_ms=settings.queue_timeout_ms,
                    lane_flights_max=max(1, settings.settle_connections // 2),
                    lane_timeout_ms=settings.lock_timeout_ms,
                ),
                outages=(DatabaseUnavailable, OutcomeUnknown),
                carry=None if tracing is None else tracing.carry,
            )
        )
        batcher.neighbours = store.neighbours  # who reads rests beside others who settle
        limits = BackgroundLimits(
            batch_max=settings.background_batch_max,
            poll_s=settings.background_poll_ms / 1_000,
            delay=Delay(settings.background_retry_ms / 1_000, settings.background_retry_max_ms / 1_000),
        )
        work = Background(store, limits, is_busy=lambda: not batcher.is_idle)
        await stack.enter_async_context(open_partitions(store))
        if background:
            await stack.enter_async_context(open_background(work))
        yield Engine(store, batcher, work)


def _patiently(store: Store, attempts_max: int) -> Settle:
    """Settles, and waits for locks only as long as another process's batch may hold them. Raises StoreError."""

    async def settle_patiently(
        commands: Sequence[Command], taken: AbstractSet[Line] = NO_LINES, watched: AbstractSet[Line] = NO_LINES
    ) -> Sequence[Any]:
        if taken or store.strangers.are_around:
            return await settle_free_again(
                store.waiting(), commands, taken, Patience.BATCHES, watched, attempts_max=attempts_max
            )
        return await settle_again(store.waiting(), commands, attempts_max=attempts_max)

    return settle_patiently


def _free(store: Store, attempts_max: int) -> Free:
    """Settles what others' locks do not stop."""
    patience = {
        Way.NOT: Patience.NONE,
        Way.SPENT: Patience.SPENT,
        Way.FIRST: Patience.FIRST,
        Way.LAST: Patience.SPENT,
    }

    async def settle_what_is_free(
        way: Way,
        commands: Sequence[Command],
        taken: AbstractSet[Line] = NO_LINES,
        watched: AbstractSet[Line] | None = None,
    ) -> Sequence[Any]:
        batches = store if way is Way.LAST else store.waiting()
        return await settle_free_again(batches, commands, taken, patience[way], watched, attempts_max=attempts_max)

    def too_long() -> Obstructed:
        metrics.LANE_TIMEOUTS.add()
        return Obstructed("another transaction has locked an account for too long")

    return Free(settle_what_is_free, (Obstructed,), lines, keys, too_long)


def store_config(
    settings: Settings, database_url: str | Target, gate: Gate | None = None, tracing: "Tracing | None" = None
) -> StoreConfig:
    """The settings that the store needs."""
    return StoreConfig(
        database_url,
        schema=settings.schema,
        settle_connections=settings.settle_connections,
        read_connections=settings.read_connections,
        read_target_ms=settings.read_target_ms,
        rehearsal_connections=settings.rehearsal_connections,
        queue_max=settings.queue_max,
        queue_timeout_ms=settings.queue_timeout_ms,
        outcome_timeout_ms=settings.outcome_timeout_ms,
        limits=TimeLimits(
            connect_timeout_ms=settings.connect_timeout_ms,
            statement_timeout_ms=settings.statement_timeout_ms,
            lock_timeout_ms=settings.lock_timeout_ms,
            plan_cache_mode=settings.plan_cache_mode,
            idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
        ),
        gate=gate,
        measured=settings.metrics == "on",
        tracing=tracing,
    )


def opening_wishes(settings: Settings, bring_up_to_date: Callable[[Inspected], None]) -> Wishes:
    """What the settings want of the database at the start."""
    known = frozenset(name for name in RISKS if getattr(settings, f"allow_{name}_off"))
    return Wishes(store_config(settings, "").limits, settings.schema, settings.row_security, known, bring_up_to_date)


def _database(_: Command) -> Hashable:
    return None


def _ledger(command: Command) -> Hashable:
    return command.ledger_id
