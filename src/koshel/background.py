"""What goes on by itself: queued transactions are executed, and holds whose time is up are released.

    due ──▶ claim ──▶ settle: claim, lock, decide, write, commit ──▶ the next claim, until nothing is due
                        └── an accident: each alone, and what fails again is put off, longer each time

Every process does this; a claim is a lock in the very transaction that settles it, so what a process that
dies had claimed is unclaimed again, and nothing is done twice. Whoever waits for an answer goes first: while
there are such, claims are small, and after each the loop rests several times as long as it took.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from msgspec import Struct
from msgspec.structs import replace

from koshel.core.commands import Claim, Command, Drain, Expire
from koshel.db.errors import DatabaseUnavailable, Obstructed, OutcomeUnknown, StoreError
from koshel.db.store import Delay, Store
from koshel.retry import settle_again

BUSY_BATCH_MAX = 50  # claimed together while callers wait for answers
BUSY_REST = 9  # then of ten parts of the time nine are theirs
REST_MAX_S = 1.0  # a claim that took longer has waited rather than worked
ALONE_MAX = 4  # at once, after an accident
OUTAGE_PAUSE_S = 1.0

_log = structlog.get_logger()


class BackgroundLimits(Struct, frozen=True):
    """How much at once, and how often."""

    batch_max: int = 250
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

    def wake(self) -> None:
        """Something was queued: look now rather than at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """Return from `run` after the claim that is under way."""
        self._stopped.set()
        self._woken.set()

    async def run(self) -> None:
        """Work until told to stop."""
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                more = await self._work()
            except StoreError as error:
                _log.warning("the background waits for the database", error=str(error))
                await _pause(OUTAGE_PAUSE_S, until=self._stopped)
                continue
            except Exception:  # noqa: BLE001  whatever it is, the next look may find it gone
                _log.exception("background work failed")
                more = False
            if not more:
                await _pause(self._limits.poll_s, until=self._woken)

    async def _work(self) -> bool:
        """Settle what is due, each ledger in turn, for as long as a poll; whether more is left."""
        claims = deque(await self._store.due())
        deadline = time.monotonic() + self._limits.poll_s
        while claims and time.monotonic() < deadline and not self._stopped.is_set():
            count = BUSY_BATCH_MAX if self._is_busy() else self._limits.batch_max
            claim = replace(claims.popleft(), count=count, claimed=[])
            start = time.monotonic()
            if await self._settle(claim) >= claim.count:
                claims.append(claim)
            if self._is_busy():
                await _pause(min((time.monotonic() - start) * BUSY_REST, REST_MAX_S), until=self._stopped)
        return bool(claims)

    async def _settle(self, claim: Claim) -> int:
        """Settle one claim; how many it settled or put off. Raises StoreError while the database is away."""
        try:
            await settle_again(self._store, [claim])
        except (DatabaseUnavailable, OutcomeUnknown):
            raise  # nothing was done, or it is done: the next claim sees which
        except Exception as error:  # noqa: BLE001  whatever it is, the others shall not suffer for one
            _log.warning("a claim is settled one by one", error=str(error), claimed=len(claim.claimed))
            await self._settle_one_by_one(claim)
            # Holds are not put off: those that failed would be claimed again at once, and so without end.
            return len(claim.claimed) if isinstance(claim, Drain) else 0
        return len(claim.claimed)

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
        alone: Command | Claim
        alone = Drain(claim.ledger_id, 1, id_) if isinstance(claim, Drain) else Expire(claim.ledger_id, id_)
        try:
            await settle_again(self._store, [alone])
        except (DatabaseUnavailable, OutcomeUnknown):
            raise
        except Exception as error:  # noqa: BLE001  it is logged, and tried again later
            _log.error("a transaction could not be settled", transaction_id=id_, error=str(error))
            if isinstance(claim, Drain):
                await self._put_off(claim.ledger_id, id_, f"{type(error).__name__}: {error}")

    async def _put_off(self, ledger_id: int, id_: int, error: str) -> None:
        with suppress(Obstructed):  # another process is at it just now, and will see for itself
            await self._store.postpone(ledger_id, id_, error, self._limits.delay)


async def _pause(seconds: float, *, until: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()


@asynccontextmanager
async def open_background(background: Background) -> AsyncIterator[None]:
    """The background at work for as long as the block lasts."""
    task = asyncio.create_task(background.run())
    try:
        yield
    finally:
        background.stop()
        await task
