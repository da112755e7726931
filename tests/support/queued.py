"""Queued transactions, what becomes of them, and a background at work on them."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType

from koshel.background import Background, BackgroundLimits, open_background
from koshel.core.commands import Request
from koshel.core.model import Opened, Posted, Queued
from koshel.db.store import Delay, Store
from koshel.settle import settle
from tests.support.database import Database
from tests.support.settled import opening, query
from tests.support.waiting import until
from tests.support.wallets import enqueue, hold, payment

POLL_S = 0.02
HASTY = BackgroundLimits(poll_s=POLL_S, delay=Delay(0.02, 0.08))
FATES = """
    SELECT id, 'queued' FROM queued
    UNION ALL SELECT id, answer ->> 'refusal' FROM declined
    UNION ALL SELECT id, 'posted' FROM transaction
    UNION ALL SELECT id, 'cancelled' FROM cancelled
"""


async def accounts(store: Store, *funds: str) -> list[int]:
    """New accounts with so much money in each."""
    opened = await settle(store, [opening() for _ in funds])
    ids = [one.account.id for one in opened if isinstance(one, Opened)]
    paid = [payment(id_, amount) for id_, amount in zip(ids, funds, strict=True) if Decimal(amount)]
    assert all(isinstance(one, Posted) for one in await settle(store, paid))
    return ids


async def enqueued(store: Store, *requests: Request, at: datetime | UnsetType = UNSET) -> list[int]:
    """The ids of transactions that are queued now, for a time or as soon as can be."""
    outcomes = await settle(store, [enqueue(request, at) for request in requests])
    assert all(isinstance(one, Queued) for one in outcomes)
    return [one.id for one in outcomes if isinstance(one, Queued)]


async def held(
    store: Store,
    source: int,
    target: int | None,
    *,
    seconds: int,
    number: int = 1,
    capture_at: datetime | UnsetType = UNSET,
) -> list[int]:
    """The ids of so many new holds of one each."""
    placed = [hold(source, target, "1", seconds=seconds, capture_at=capture_at) for _ in range(number)]
    outcomes = await settle(store, placed)
    return [one.id for one in outcomes if isinstance(one, Posted)]


def fates(database: Database, ids: Iterable[int]) -> list[str]:
    """Of each, in order: queued, posted, or the refusal."""
    known = query(database, FATES)
    found = dict(known)
    assert len(found) == len(known), "nothing is two things at once"
    return [found[id_] for id_ in ids]


def balances(database: Database, ids: Iterable[int]) -> list[str]:
    """Of each, in order."""
    found = {id_: str(balance) for id_, balance in query(database, "SELECT id, balance FROM account")}
    return [found[id_] for id_ in ids]


class Trial(Struct, frozen=True):
    """What is known of a queued transaction that was tried in vain."""

    attempts: int
    error: str | None
    in_s: float  # until it is due


def trial(database: Database, id_: int) -> Trial:
    """As it stands."""
    [row] = query(
        database,
        f"SELECT attempts, error, extract(epoch FROM due - clock_timestamp())::float8 FROM queued WHERE id = {id_}",
    )
    return Trial(*row)


async def decided(database: Database, ids: Iterable[int]) -> list[str]:
    """Of each, in order, when none is queued any more."""
    ids = list(ids)
    await until(lambda: "queued" not in fates(database, ids), "all queued are decided")
    return fates(database, ids)


@asynccontextmanager
async def working(
    store: Store, limits: BackgroundLimits = HASTY, is_busy: Callable[[], bool] = lambda: False
) -> AsyncIterator[Background]:
    """A background at work for as long as the block lasts."""
    background = Background(store, limits, is_busy)
    async with open_background(background):
        yield background
