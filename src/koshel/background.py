"""The background: queued transactions are executed, holds whose time is up are released, partitions are made ahead.

    due ──▶ claim ──▶ settle: claim, lock, decide, write, commit ──▶ the next claim, until nothing is due
                        └── an accident: each alone, and what fails again is put off, longer each time

Every process does this; a claim is a lock in the very transaction that settles it, so what a process that
dies had claimed is unclaimed again, and nothing is done twice. Callers that wait for an answer go first: while
there are such, claims are small, and after each the loop rests several times as long as it took. What others have
locked stays queued, and so does what is due later on the same accounts.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

from koshel import events
from koshel.blocked import Blocked
from koshel.core.apart import Lines
from koshel.db.errors import DatabaseUnavailable, Obstructed, OutcomeUnknown, StoreError
from koshel.db.settling.claims import Claim, ClaimHolds, ClaimQueued
from koshel.db.settling.strangers import Patience
from koshel.db.store import Delay, Store
from koshel.outage import Outage
from koshel.retry import settle_again, settle_claim_free_again
from koshel.telemetry import metrics

BUSY_BATCH_MAX = 50  # claimed together while callers wait for answers
BUSY_REST = 9  # then of ten parts of the time nine are theirs
REST_MAX_S = 1.0  # a claim that took longer has waited rather than worked
ALONE_MAX = 4  # at once, after an accident
OUTAGE_PAUSE_S = 1.0
STUCK_S = 5.0  # before a hold that could not be released is tried again

_log = events.get_logger()


class BackgroundLimits(Struct, frozen=True):
    """How much at once, and how often."""

    batch_max: int = 500
    poll_s: float = 0.5
    delay: Delay = Delay(1.0, 300.0)


class Background:
    """Run it with `open_background`."""

    def __init__(self, store: Store, limits: BackgroundLimits, is_busy: Callable[[], bool]) -> None:
        self._store = store
        self._limits = limits
        self._is_busy = is_busy
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._outage = Outage()
        self._room: dict[type[Claim], int] = {ClaimQueued: limits.batch_max, ClaimHolds: limits.batch_max}
        self._blocked: dict[type[Claim], Blocked] = {
            ClaimQueued: Blocked(limits.poll_s),
            ClaimHolds: Blocked(limits.poll_s),
        }
        self._stuck: dict[int, float] = {}  # holds that could not be released, and until when to let them be

    def wake(self) -> None:
        """Something was queued: look now rather than at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """Return from `run` after the claims that are under way."""
        self._stopped.set()
        self._woken.set()

    async def run(self) -> None:
        """Work until told to stop: queue and holds each for itself, so that neither waits for the other's accidents."""
        await asyncio.gather(self._run(ClaimQueued, self._woken), self._run(ClaimHolds, asyncio.Event()))

    async def _run(self, kind: type[Claim], woken: asyncio.Event) -> None:
        while not self._stopped.is_set():
            woken.clear()
            try:
                more = await self._work(kind)
            except StoreError as error:
                self._outage.met(kind, error)
                await _pause(OUTAGE_PAUSE_S, self._stopped)
                continue
            except Exception as error:  # noqa: BLE001  whatever it is, the next look may find it gone
                self._outage.failed(kind, error)
                more = False
            else:
                self._outage.over(kind)
            if not more:
                await _pause(self._limits.poll_s, self._stopped, woken)

    async def _work(self, kind: type[Claim]) -> bool:
        """Settle what is due, each ledger in turn, for as long as a poll; whether more is left."""
        self._blocked[kind].begin()
        claims = deque(claim for claim in await self._store.due() if isinstance(claim, kind))
        deadline = time.monotonic() + self._limits.poll_s
        while claims and time.monotonic() < deadline and not self._stopped.is_set():
            claim = self._sized(claims.popleft())
            start = time.monotonic()
            if await self._settle(claim) >= claim.count:
                claims.append(claim)
            if self._is_busy():
                await _pause(min((time.monotonic() - start) * BUSY_REST, REST_MAX_S), self._stopped)
        return bool(claims)

    def _sized(self, claim: Claim) -> Claim:
        """A fresh claim, of as many as there is room for."""
        count = min(self._room[type(claim)], BUSY_BATCH_MAX if self._is_busy() else self._limits.batch_max)
        if isinstance(claim, ClaimQueued):
            return ClaimQueued(claim.ledger_id, count, without=self._blocked[ClaimQueued].ids)
        now = time.monotonic()
        self._stuck = {id_: until for id_, until in self._stuck.items() if until > now}
        return ClaimHolds(claim.ledger_id, count, without=[*self._stuck, *self._blocked[ClaimHolds].ids])

    async def _settle(self, claim: Claim) -> int:
        """Settle one claim; how many it settled or put off. Raises StoreError while the database is away."""
        kind = type(claim)
        try:
            await self._settle_due(claim)
        except (DatabaseUnavailable, OutcomeUnknown) as error:
            # Nothing was done, or it is done: the next claim sees which. It is smaller, as this one may have been
            # too much for the time that a statement has; and what is too much by itself lets the others past.
            self._room[kind] = max(1, len(claim.claimed) // 2)
            if len(claim.claimed) != 1:
                raise
            await self._put_off(claim, claim.claimed[0], error)
        except Exception as error:  # noqa: BLE001  whatever it is, the others shall not suffer for one
            _log.warning("a claim is settled one by one", error=str(error), claimed=len(claim.claimed))
            metrics.settled_again("accident")
            await self._settle_one_by_one(claim)
        else:
            self._room[kind] = min(self._limits.batch_max, self._room[kind] * 2)
        return len(claim.claimed)

    async def _settle_due(self, claim: Claim) -> None:
        """Settle what is due, without what others' locks stop. Raises StoreError."""
        blocked, start = self._blocked[type(claim)], time.monotonic()
        taken, found = blocked.lines, dict[int, Lines]()
        try:
            if blocked:
                found = await settle_claim_free_again(self._store, claim, taken, Patience.FIRST)
            else:
                await settle_again(self._store, [claim])
        except Obstructed:
            found = await settle_claim_free_again(self._store, claim, taken, Patience.SPENT)
        new = blocked.put_off(found, time.monotonic() - start) if found else []
        if new and isinstance(claim, ClaimQueued):
            await self._store.note_blocked(claim.ledger_id, new)

    async def _settle_one_by_one(self, claim: Claim) -> None:
        rest = iter(claim.claimed)

        async def one_after_another() -> None:
            for id_ in rest:
                if not self._stopped.is_set():
                    await self._settle_alone(claim, id_)

        ends = await asyncio.gather(*(one_after_another() for _ in range(ALONE_MAX)), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _settle_alone(self, claim: Claim, id_: int) -> None:
        try:
            await self._settle_due(type(claim)(claim.ledger_id, 1, id_))
        except (DatabaseUnavailable, OutcomeUnknown):
            raise
        except Exception as error:  # noqa: BLE001  it is logged, and tried again later
            await self._put_off(claim, id_, error)

    async def _put_off(self, claim: Claim, id_: int, error: Exception) -> None:
        _log.error("a transaction could not be settled", transaction_id=id_, error=str(error))
        if isinstance(claim, ClaimHolds):
            self._stuck[id_] = time.monotonic() + STUCK_S
            return
        with suppress(Obstructed):  # another process is at it just now, and will see for itself
            text = f"{type(error).__name__}: {error}"
            await self._store.postpone(claim.ledger_id, id_, text, self._limits.delay)


async def _pause(seconds: float, *until: asyncio.Event) -> None:
    """Wait so long, or until one of these happens."""
    waits = [asyncio.ensure_future(event.wait()) for event in until]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()


@asynccontextmanager
async def open_background(background: Background) -> AsyncIterator[None]:
    """The background at work for as long as the block lasts."""
    task = asyncio.create_task(background.run())
    try:
        yield
    finally:
        background.stop()
        await task
