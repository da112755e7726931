"""What no log may hold, and a watch over all that the suite's processes log.

    in this process      what the writers of standard output and standard error are given, and what pytest captures
    in other processes   standard error of every `koshel`, and standard output of `koshel serve`: files that tests
                         name, what `communicate` returns, and what is inherited, which pytest captures too

What `koshel key create` or `koshel psql` print is no log: it is what they were asked for.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koshel.line_writer import LineWriter

FORBIDDEN = {
    "an API key": re.compile(r"koshel_live_[0-9A-Za-z]{8}"),
    "a token": re.compile(r"(?i)\bbearer\s+[\w.~+/-]{8}"),
    "a JWT": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}"),
    "a password": re.compile(r"://[^\s:/@]*:[^\s@/…]+@|(?i:password)=[^\s*&…]"),
    "a private key": re.compile(r"PRIVATE KEY-----"),
    "an email": re.compile(r"[\w.%+-]+(@|%(25)*40)([\w-]+\.)+[A-Za-z]{2,}"),
}


def found_in(text: str) -> list[str]:
    """What of it a text holds, with the line that it is in."""
    return [
        f"{what}: {line[:300]}" for line in text.splitlines() for what, one in FORBIDDEN.items() if one.search(line)
    ]


class Watch:
    """All that was logged since it was last asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._read: dict[Path, int] = {}  # files, and how much of each was read

    def put(self, text: str | bytes | bytearray | None) -> None:
        """Something was logged."""
        if text:
            self.seen.append(text if isinstance(text, str) else text.decode(errors="replace"))

    def follow(self, stream: Any) -> None:
        """Something is being logged into this file; a descriptor or a pipe is another's to read."""
        name = getattr(stream, "name", None)
        if isinstance(name, str) and Path(name).is_file():
            self._read.setdefault(Path(name), 0)

    def leaks(self) -> list[str]:
        """What was forbidden in it."""
        texts, self.seen = [*self.seen, *self._unread()], []
        return [one for text in texts for one in found_in(text)]

    def _unread(self) -> Iterator[str]:
        for path, start in list(self._read.items()):
            if not path.exists():  # its test has removed it
                del self._read[path]
                continue
            with path.open("rb") as file:
                file.seek(start)
                more = file.read()
            self._read[path] = start + len(more)
            yield more.decode(errors="replace")


WATCH = Watch()


class WatchedPopen(subprocess.Popen[Any]):
    """A process; if it is one of Koshel's, its logs are watched."""

    def __init__(self, args: Any, *more: Any, **options: Any) -> None:
        words = [Path(str(word)).name for word in args] if isinstance(args, list | tuple) else []
        self._logs_errors = "koshel" in words
        self._logs_all = self._logs_errors and "serve" in words
        for name, is_log in (("stderr", self._logs_errors), ("stdout", self._logs_all)):
            if is_log:
                WATCH.follow(options.get(name))
        super().__init__(args, *more, **options)

    def communicate(self, *arguments: Any, **named: Any) -> tuple[Any, Any]:
        """What it printed, and what it complained of."""
        printed, complained = super().communicate(*arguments, **named)
        WATCH.put(printed if self._logs_all else None)
        WATCH.put(complained if self._logs_errors else None)
        return printed, complained


_put = LineWriter.put


def put(writer: LineWriter, lines: bytes | bytearray) -> None:
    """In place of `LineWriter.put`."""
    WATCH.put(bytes(lines))
    _put(writer, lines)
