"""What is said of the database while it is away: at once, then less and less often, and once when it is there again."""

import time
from collections.abc import Hashable

import structlog

from koshel.db.gate import NotOpenYet

SAY_PAUSE_S, SAY_PAUSE_MAX_S = 1.0, 600.0

_log = structlog.get_logger()


class Outage:
    """One process's view: it is over when all who have met it have worked again."""

    def __init__(self) -> None:
        self._waiting: set[Hashable] = set()
        self._began = self._said = 0.0
        self._silence_s = SAY_PAUSE_S

    def met(self, who: Hashable, error: Exception) -> None:
        """`who` could not work. Nothing is said of a start that waits: its opening says it."""
        if isinstance(error.__cause__, NotOpenYet):
            return
        now = time.monotonic()
        first = not self._waiting
        self._waiting.add(who)
        if first:
            self._began, self._said, self._silence_s = now, now, SAY_PAUSE_S
            _log.warning("the background waits for the database", error=str(error))
        elif now - self._said >= self._silence_s:
            self._said, self._silence_s = now, min(2 * self._silence_s, SAY_PAUSE_MAX_S)
            waited_s = round(now - self._began)
            _log.warning("the background still waits for the database", error=str(error), waited_s=waited_s)

    def over(self, who: Hashable) -> None:
        """`who` has worked."""
        if who in self._waiting:
            self._waiting.remove(who)
            if not self._waiting:
                waited_s = round(time.monotonic() - self._began, 1)
                _log.info("the background has the database again", waited_s=waited_s)
