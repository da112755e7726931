"""The composition root: settings → store → batcher → service, opened and closed in one place."""

from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from functools import partial

from msgspec import Struct

from koshel.batcher import Batcher, BatcherLimits, open_batcher
from koshel.core.model import Command, Outcome
from koshel.db.errors import DatabaseUnavailable, OutcomeUnknown
from koshel.db.pools import Limits
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import settle_again
from koshel.settings import Settings

MAIN_LEDGER_ID = 1  # without API keys there is one ledger, `main`; the first migration makes it


class Service(Struct, frozen=True):
    """What the routes work with."""

    store: Store
    batcher: Batcher[Command, Outcome]
    ledger_id: int
    currency: str
    max_balance: Decimal


@asynccontextmanager
async def open_service(settings: Settings, database_url: str) -> AsyncIterator[Service]:
    """The service of one process; at the end what waits is settled, then the connections close."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(store_config(settings, database_url)))
        batcher = await stack.enter_async_context(
            open_batcher(
                partial(settle_again, store, attempts_max=settings.settle_attempts),
                partition=_ledger if settings.partition_by == "ledger" else _database,
                limits=BatcherLimits(
                    batch_max=settings.batch_max,
                    flights_max=settings.batches_in_flight,
                    singles_max=settings.settle_connections,
                    queue_max=settings.queue_max,
                    queue_bytes_max=settings.queue_bytes_max,
                    queue_timeout_ms=settings.queue_timeout_ms,
                ),
                outages=(DatabaseUnavailable, OutcomeUnknown),
            )
        )
        yield Service(store, batcher, MAIN_LEDGER_ID, settings.currency, settings.max_balance)


def store_config(settings: Settings, database_url: str) -> StoreConfig:
    """The settings that the store needs."""
    return StoreConfig(
        database_url,
        settle_connections=settings.settle_connections,
        read_connections=settings.read_connections,
        outcome_timeout_ms=settings.outcome_timeout_ms,
        limits=Limits(
            connect_timeout_ms=settings.connect_timeout_ms,
            statement_timeout_ms=settings.statement_timeout_ms,
            lock_timeout_ms=settings.lock_timeout_ms,
            idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
        ),
    )


def _database(_: Command) -> Hashable:
    return None


def _ledger(command: Command) -> Hashable:
    return command.ledger_id
