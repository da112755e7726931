"""What is said of the database while it is away: at once, then less and less often, and once when it is there again."""

from collections import defaultdict
from collections.abc import Hashable

from koshel import events
from koshel.db.gate import NotOpenYet
from koshel.events import Reminder

_log = events.get_logger()


class Outage:
    """One process's view: it is over when all who have met it have worked again."""

    def __init__(self) -> None:
        self._waiting: set[Hashable] = set()
        self._reminder = Reminder()
        self._faults = defaultdict[Hashable, Reminder](Reminder)

    def met(self, who: Hashable, error: Exception) -> None:
        """`who` could not work. Nothing is said of a start that waits: its opening says it."""
        if isinstance(error.__cause__, NotOpenYet):
            return
        self._waiting.add(who)
        if not self._reminder.is_due():
            return
        if waited_s := round(self._reminder.lasts_s):
            _log.warning("the background still waits for the database", error=str(error), waited_s=waited_s)
        else:
            _log.warning("the background waits for the database", error=str(error))

    def failed(self, who: Hashable, error: Exception) -> None:
        """`who` has met something else, and may meet it again at every look."""
        if self._faults[who].is_due():
            _log.error("background work failed", exc_info=error)

    def over(self, who: Hashable) -> None:
        """`who` has worked."""
        self._faults[who].over()
        if who in self._waiting:
            self._waiting.remove(who)
            if not self._waiting:
                waited_s = round(self._reminder.lasts_s, 1)
                self._reminder.over()
                _log.info("the background has the database again", waited_s=waited_s)
