"""`koshel serve` with streams and limits of the test's choosing, its access log on."""

import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.support.command import environment
from tests.support.service import Running, free_port, stop
from tests.support.waiting import wait_until

FILLING = b"." * 511 + b"\n"
WITH_LIMIT = ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"']


def address(printed: str) -> re.Match[str] | None:
    """Where the service says that it answers, as JSON or as a sentence; its group is the port."""
    return re.search(r"answers\b.*http://127\.0\.0\.1:(\d+)", printed)


def launch(
    database_url: str,
    *,
    stdout: "IO[Any] | int | None" = None,
    stderr: "IO[Any] | int | None" = None,
    descriptors: int | None = None,
    **settings: str,
) -> Running:
    """Start it, and do not wait. Whoever starts it stops it."""
    port = int(settings.setdefault("port", str(free_port())))
    serve = [sys.executable, "-m", "koshel", "serve"]
    limit = [*WITH_LIMIT, str(descriptors)] if descriptors else []
    return Running(
        subprocess.Popen(
            [*limit, *serve],
            env=environment({"database_url": database_url, "workers": "2"} | settings),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        ),
        port,
    )


@contextmanager
def launched(database_url: str, **choices: Any) -> Iterator[Running]:
    """The same, for the length of a block; it is ready, and in the end it stops in order."""
    service = launch(database_url, **choices)
    try:
        service.wait_until_ready()
        yield service
        assert stop(service) == 0
    finally:
        service.process.kill()
        service.process.wait()


@contextmanager
def unread() -> Iterator[tuple[int, int]]:
    """A pipe that nobody reads and nobody closes, full to the brim: its end to read, and its end to write."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, FILLING)
    os.set_blocking(writer, True)
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def read_until(reader: int, is_enough: Callable[[bytes], bool]) -> bytes:
    """What is in a pipe beyond what it was filled with, until there is enough of it."""
    received = bytearray()

    def read() -> bool:
        if select.select([reader], [], [], 0)[0]:
            received.extend(os.read(reader, 65_536).replace(FILLING, b""))
        return is_enough(bytes(received))

    wait_until(read, f"what was written; so far: {received[-300:]!r}")
    return bytes(received)


@contextmanager
def serving_into(directory: Path, database_url: str, **choices: Any) -> Iterator[tuple[Running, Path, Path]]:
    """A service whose streams are files; they are whole when the block has ended."""
    out, err = directory / "out", directory / "err"
    with (
        out.open("wb") as stdout,
        err.open("wb") as stderr,
        launched(database_url, stdout=stdout, stderr=stderr, **choices) as service,
    ):
        yield service, out, err
