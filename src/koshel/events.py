"""What happens, for whoever wants to know: one logger for code that the service and the library share.

    the service, or a program that has set structlog up   structlog, as it was set up
    any other program that uses the library               the standard library's logger `koshel`, which says nothing
                                                           unless the program has set logging up

Left to itself structlog would print to standard output, and with each traceback the values of variables: among them
are the URL of the database with its password, and the personal data of accounts.
"""

import logging
import time
from typing import Any

import structlog

SAY_PAUSE_S, SAY_PAUSE_MAX_S = 1.0, 600.0

STANDARD = logging.getLogger("koshel")
STANDARD.addHandler(logging.NullHandler())  # else warnings would go to standard error where nobody has set logging up


class Events:
    """A logger with structlog's calls: an event, and facts about it by name."""

    def debug(self, event: str, **facts: Any) -> None:
        """For who looks for a fault."""
        self._say(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """As it should be."""
        self._say(logging.INFO, event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """As it should not be, and it may mend itself."""
        self._say(logging.WARNING, event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Somebody has to mend it."""
        self._say(logging.ERROR, event, facts)

    def exception(self, event: str, **facts: Any) -> None:
        """The same, with the traceback of the exception that is being handled."""
        self._say(logging.ERROR, event, {"exc_info": True} | facts)

    def _say(self, level: int, event: str, facts: dict[str, Any]) -> None:
        if structlog.is_configured():
            getattr(structlog.get_logger(), logging.getLevelName(level).lower())(event, **facts)
        elif STANDARD.isEnabledFor(level):
            exc_info = facts.pop("exc_info", None)
            said = " ".join([event, *(f"{name}={value!r}" for name, value in facts.items())])
            STANDARD.log(level, "%s", said, exc_info=exc_info)


class Reminder:
    """How often to say the same: at once, then less and less often, until it is over."""

    def __init__(self) -> None:
        self._began: float | None = None  # the first time; None: it is over
        self._said = self._silence_s = 0.0

    def is_due(self) -> bool:
        """Whether to say it now; then it was said."""
        now = time.monotonic()
        if self._began is None:
            self._began, self._said, self._silence_s = now, now, SAY_PAUSE_S
            return True
        if now - self._said < self._silence_s:
            return False
        self._said, self._silence_s = now, min(2 * self._silence_s, SAY_PAUSE_MAX_S)
        return True

    @property
    def lasts_s(self) -> float:
        """For how long it has been so."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def over(self) -> None:
        """It is not so any more."""
        self._began = None


def get_logger() -> Events:
    """Where to say what happens."""
    return Events()
