"""The header `traceparent` (W3C Trace Context): which trace a request belongs to. One that is not valid is ignored."""

import re
from typing import NamedTuple

SAMPLED = 0x01  # in the flags: the caller records its part of the trace
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_VERSION = "ff"
_KNOWN_VERSION = "00"  # of later ones the beginning has the same form, and more may follow


class Parent(NamedTuple):
    """The caller's span, in small hexadecimal digits, and its flags."""

    trace_id: str
    span_id: str
    flags: int


def parse(header: str) -> Parent | None:
    """What the header says; None if it is not valid."""
    found = _FORM.fullmatch(header)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _NO_VERSION or (version == _KNOWN_VERSION and more is not None):
        return None
    if not (trace_id.strip("0") and span_id.strip("0")):
        return None
    return Parent(trace_id, span_id, int(flags, 16))


def trace_id_of(header: str | None) -> str | None:
    """The id of the trace, if there is a header, and it is valid."""
    parent = None if header is None else parse(header)
    return None if parent is None else parent.trace_id
