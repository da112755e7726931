"""A name for every request: the caller's own, if it sent a sane one, or the next of this process."""

import re
import secrets
from itertools import count

from aiohttp import web

from koshel.private import looks_private

NAME = web.RequestKey("name", str)  # of a request, once somebody has asked for it

_SANE = re.compile(r"[\x21-\x7e]{1,128}")


class _Names:
    """`<eight random hex digits>-<count>`: unique over processes, and cheaper than fresh randomness each time."""

    def __init__(self) -> None:
        self._prefix = ""
        self._count = count(1)

    def fresh(self) -> str:
        if not self._prefix:  # not at import: workers are forked, and each needs its own
            self._prefix = secrets.token_hex(4)
        return f"{self._prefix}-{next(self._count)}"


_names = _Names()


def of(request: web.BaseRequest) -> str:
    """The request's name, which stays the same."""
    name = request.get(NAME)
    if name is None:
        name = request[NAME] = named(request.headers.get("X-Request-Id"))
    return name


def named(given: str | None) -> str:
    """The name that was given, if it is a sane one, else a fresh one.

    It is in the log, in traces and in what was cancelled: one that may have an email, a key or a JWT in it is not sane.
    """
    return given if given is not None and _is_sane(given) else _names.fresh()


def _is_sane(given: str) -> bool:
    return _SANE.fullmatch(given) is not None and not looks_private(given)
