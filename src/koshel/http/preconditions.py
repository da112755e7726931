"""Preconditions (RFC 9110, section 13): which account a caller means, as it knows it.

Several lines of one header are one list. If-Match compares strongly, so that a weak tag never matches;
If-None-Match compares weakly.
"""

import re
from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from koshel.http.problems import Failure, header_invalid
from koshel.inputs.values import Versions

HEADERS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")
# Browsers and caches send these by themselves. RFC 9110 has a page without a date or a tag pass them over.
OF_CACHES = frozenset({"If-None-Match", "If-Modified-Since", "If-Range"})

# aiohttp's own parser reads the first line only, stops in silence at what it does not know, and takes a list
# without tags for no condition at all.
_TAG = re.compile(r'(?P<weak>W/)?"(?P<value>[^\x00-\x20\x22\x7f]*)"[ \t]*(?=,|\Z)')
_VERSION = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.([1-9][0-9]{0,17}))?")


class Tags(Struct, frozen=True):
    """The entity tags of one header: the strong ones, and the weak ones."""

    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    any: bool = False  # `*`

    def meet(self, etag: str) -> bool:
        """Whether an ETag is among them, by weak comparison."""
        return self.any or etag.strip('"') in self.strong | self.weak


def refuse(request: web.Request, names: Sequence[str]) -> None:
    """Raises Failure if the request has one of these headers: nobody shall rely on what is not looked at."""
    for name in names:
        if name in request.headers:
            raise header_invalid(name, "is not taken here")


def tags(request: web.Request, name: str) -> Tags | None:
    """The tags in a header, None if there is no such header. Raises Failure."""
    lines = request.headers.getall(name, None)
    return None if lines is None else parse(name, ",".join(lines))


def parse(name: str, text: str) -> Tags:
    """The tags of a header's value; elements of the list may be empty. Raises Failure."""
    if text.strip(" \t") == "*":
        return Tags(any=True)
    strong: set[str] = set()
    weak: set[str] = set()
    at = 0
    while at < len(text):
        if text[at] in ", \t":
            at += 1
            continue
        match = _TAG.match(text, at)
        if match is None:
            raise _malformed(name)
        (weak if match["weak"] else strong).add(match["value"])
        at = match.end()
    return Tags(frozenset(strong), frozenset(weak))


def _malformed(name: str) -> Failure:
    return header_invalid(name, 'must be * or tags between quotes, such as "12.3", with commas between')


def versions(if_match: Tags | None, if_none_match: Tags | None) -> tuple[Versions | None, Versions | None]:
    """The versions that an account may be at, and those that it must not be at. None: any."""
    expected = None if if_match is None or if_match.any else _versions(if_match.strong)
    if if_none_match is None:
        return expected, ()
    return expected, None if if_none_match.any else _versions(if_none_match.strong | if_none_match.weak)


def tag(version: int, revision: int) -> str:
    """The ETag of an account: its version, and after a dot how often it was changed otherwise, if it was."""
    return f'"{version}.{revision}"' if revision else f'"{version}"'


def _versions(values: frozenset[str]) -> Versions:
    """The versions that tags name. A tag that no account can have names none."""
    matches = (_VERSION.fullmatch(value) for value in values)
    return tuple(sorted((int(match[1]), int(match[2] or 0)) for match in matches if match))
