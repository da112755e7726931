"""Standard output and standard error: a thread writes each, in one format; what nobody reads stops nobody."""

import atexit
import io
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

from msgspec import Struct
from msgspec.json import encode as json_encode

from koshel.line_writer import LineWriter
from koshel.telemetry import metrics

FLUSH_TIMEOUT_S = 1  # what the end of a process waits for its readers


class LineStream(io.TextIOBase):
    """A writer in the place of `sys.stdout` or `sys.stderr`: what is printed by whomever goes the same way."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._begun = ""

    def write(self, text: str) -> int:
        """Text, which leaves when its line is whole."""
        lines, line_break, self._begun = (self._begun + text).rpartition("\n")
        if line_break:
            self._writer.put(f"{lines}\n".encode(errors="backslashreplace"))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether somebody is watching."""
        return os.isatty(self._writer.descriptor)

    def fileno(self) -> int:
        """Where the writer writes."""
        return self._writer.descriptor


class Streams(Struct, frozen=True):
    """Standard output and standard error: who writes them, and in which format."""

    out: LineWriter
    err: LineWriter
    as_json: bool

    def announce(self, url: str) -> None:
        """Say where the service answers."""
        line = f"Koshel answers on {url}\n".encode()
        self.out.put(_json_line(event="answers on", url=url) if self.as_json else line)

    def take_over(self) -> None:
        """From now on all that is printed, by whomever, goes the same way: it could be what waits for ever."""
        sys.stdout, sys.stderr = LineStream(self.out), LineStream(self.err)


def open_streams(buffer_bytes_max: int, *, as_json: bool) -> Streams:
    """The streams of this process; what they were given is written before it ends, if somebody reads it."""
    out, err = (
        LineWriter(
            descriptor,
            bytes_max=buffer_bytes_max,
            lost=_lost(name, as_json=as_json),
            count=partial(metrics.log_lines_dropped, name),
        )
        for descriptor, name in ((1, "stdout"), (2, "stderr"))
    )
    atexit.register(_flush, out, err)
    return Streams(out, err, as_json)


def _lost(stream: str, *, as_json: bool) -> Callable[[int], bytes]:
    """The line that says how many lines of a stream were dropped."""

    def lost(count: int) -> bytes:
        if as_json:
            return _json_line(event="log lines dropped", level="warning", stream=stream, count=count)
        return f"log lines dropped  stream={stream} count={count}\n".encode()

    return lost


def _json_line(**fields: Any) -> bytes:
    return json_encode({"time": datetime.now(UTC), **fields}) + b"\n"


def _flush(*writers: LineWriter) -> None:
    """At the end of a process."""
    deadline = monotonic() + FLUSH_TIMEOUT_S
    for writer in writers:
        writer.flush(max(0, deadline - monotonic()))
