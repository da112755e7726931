"""The database at the start: waited for while it is away, proved, brought up to date; then the gate opens.

One attempt is made before there is any worker, so that nearly always all is known before the first answer. Only if the
database is away do the workers start behind a closed gate, and answer `database-unavailable` while a thread tries on.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel import events
from koshel.db.errors import Away, DatabaseUnavailable, Unfit
from koshel.db.gate import Gate
from koshel.db.namespace import Wish
from koshel.db.pools import TimeLimits
from koshel.db.starting import proof
from koshel.db.starting.databases import Database
from koshel.db.starting.proof import Inspected
from koshel.events import Reminder

if TYPE_CHECKING:
    from koshel.db.server.embedded import Cluster

TRY_PAUSE_S, TRY_PAUSE_MAX_S = 0.2, 5.0
REMIND_PAUSE_S = 3_600.0
LEAVE_TIMEOUT_S = 5  # for an attempt that is under way when the service is told to stop

_log = events.get_logger()


class Wishes(Struct, frozen=True):
    """What the settings want of the database."""

    limits: TimeLimits
    schema: str | None  # of the tables; None: where they are
    row_security: Wish
    known: frozenset[str]  # settings of the server that may be off
    bring_up_to_date: Callable[[Inspected], None]  # what is to be done once it is there and fit


class Opening:
    """Open it with `opened`."""

    def __init__(self, at: Database, wishes: Wishes) -> None:
        self.gate = Gate()
        self.failure: Exception | None = None
        self._at = at
        self._wishes = wishes
        self._unsafe: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="opening", daemon=True)

    def start(self) -> None:
        """One attempt; if it fails since the database is away, others in a thread. Raises Unfit."""
        for name in self._at.target.dropped:
            _log.info("a parameter of the database URL is ignored by the service", parameter=name)
        try:
            self._attempt()
        except Away as away:
            _log.warning("waiting for the database", error=str(away))
        if self._unsafe or not self.gate.is_open:
            self._thread.start()

    def stop(self) -> None:
        """Return when the thread has ended, or soon; a forked worker has none."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_TIMEOUT_S)

    def _attempt(self) -> None:
        at, limits, schema, security = self._at, self._wishes.limits, self._wishes.schema, self._wishes.row_security
        is_ours = at.service_url != at.owner_url
        try:
            looking = proof.inspect(
                at.target, limits, self._wishes.known, schema=schema, row_security=security, granted_later=is_ours
            )
            found = asyncio.run(looking)
            self._wishes.bring_up_to_date(found)
            if is_ours:
                asyncio.run(proof.check_rights(at.target, limits, schema, security))
        except Exception as error:
            if _is_away(error):
                raise Away(" ".join(str(error).split())) from error
            raise
        self._unsafe = found.unsafe
        self._warn(found)
        self.gate.open()

    def _warn(self, found: Inspected) -> None:
        for name in found.unsafe:
            _log.warning(f"{name} is off: {proof.RISKS[name]}", database=found.database)
        if found.advice:
            _log.info("the database could be faster", settings=found.advice)

    def _run(self) -> None:
        try:
            if not self.gate.is_open:
                self._try_on()
        except Exception as error:  # noqa: BLE001  whatever it is, the master says it and ends
            self.failure = error
            os.kill(os.getpid(), signal.SIGTERM)
        while self._unsafe and not self._stopped.wait(REMIND_PAUSE_S):
            for name in self._unsafe:
                _log.warning(f"{name} is still off: {proof.RISKS[name]}")

    def _try_on(self) -> None:
        """Attempts, with longer and longer pauses, and still longer ones between two lines in the log."""
        pause_s, reminder = TRY_PAUSE_S, Reminder()
        reminder.is_due()  # the first attempt has said it
        while not self._stopped.wait(pause_s):
            try:
                self._attempt()
            except Away as away:
                pause_s = min(2 * pause_s, TRY_PAUSE_MAX_S)
                if reminder.is_due():
                    _log.warning("still waiting for the database", error=str(away), waited_s=round(reminder.lasts_s))
            else:
                _log.info("the database is there", waited_s=round(reminder.lasts_s, 1))
                return


def _is_away(error: Exception) -> bool:
    """Whether a connection was lost in what comes after the proof; whatever else is said there is said for good."""
    if isinstance(error, Unfit):
        return False
    cause = error if error.__cause__ is None else error.__cause__
    sqlstate = getattr(cause, "sqlstate", None)
    return isinstance(error, Away | DatabaseUnavailable) or (isinstance(sqlstate, str) and sqlstate[:2] in {"08", "57"})


def _kept_up(cluster: "Cluster") -> AbstractContextManager[None]:
    from koshel.db.server.upkeep import kept_up  # noqa: PLC0415  a database of somebody else's is not kept up

    return kept_up(cluster)


@contextmanager
def opened(at: Database, wishes: Wishes) -> Iterator[Opening]:
    """The database being opened, and kept up if it is our own, for as long as the block lasts.

    Raises Unfit, at the beginning, or at the end if that was found out meanwhile.
    """
    master = os.getpid()
    opening = Opening(at, wishes)
    with nullcontext() if at.cluster is None else _kept_up(at.cluster):
        try:
            opening.start()
            yield opening
        finally:
            opening.stop()
            # A forked worker leaves through here too.
            if opening.failure is not None and os.getpid() == master:
                raise opening.failure
