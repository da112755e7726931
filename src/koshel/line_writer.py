"""Lines on their way to a stream: one thread writes them, so that nobody else waits for whoever reads the stream.

put ─▶ buffer, bounded in bytes ─▶ thread ─▶ file descriptor
         └── full: lines are dropped and counted; when half of it is free again, a line says how many

Each stream has a writer of its own, since a thread that is stuck in one could not serve the other. A descriptor is
not made non-blocking instead: that would change it for all who share it, such as the shell that started the service.
"""

import os
import select
import stat
import threading
from collections.abc import Callable
from contextlib import suppress

PIPE_BUF = 4_096  # bytes that the kernel writes to a pipe in one piece: lines of several processes never mingle
FILE_BUF = 64 * 1024  # bytes that are written to a file together, where every write is one piece


class LineWriter:
    """Writes lines to a file descriptor.

    `lost` is the line that says how many were dropped, when there is room for it; `count` is told at once.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        bytes_max: int,
        lost: Callable[[int], bytes],
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.descriptor = descriptor
        self._piece_max = FILE_BUF if stat.S_ISREG(os.fstat(descriptor).st_mode) else PIPE_BUF
        self._bytes_max = bytes_max
        self._lost = lost
        self._count = count
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """With nothing: what was in the buffer at a fork is written by the parent, and no thread survives one."""
        self._changed = threading.Condition()
        self._buffer = bytearray()
        self._thread: threading.Thread | None = None
        self._full = False
        self._dropped = 0

    def put(self, lines: bytes | bytearray) -> None:
        """Take whole lines, each with its line break, or drop them. Never waits."""
        with self._changed:
            if self._full or len(self._buffer) + len(lines) > self._bytes_max:
                self._drop(lines)
            else:
                self._buffer += lines
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> None:
        """Return when all is written, or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: not self._buffer, timeout_s)

    def _start(self) -> None:
        thread = threading.Thread(target=self._write, name="line writer", daemon=True)
        with suppress(RuntimeError):  # where there is no thread to be had, lines wait, and the next ones try again
            thread.start()
            self._thread = thread

    def _drop(self, lines: bytes | bytearray) -> None:
        self._note(lines)
        self._full = bool(self._buffer)
        if not self._full:  # these lines alone are too long
            self._say_lost()

    def _note(self, lines: bytes | bytearray) -> None:
        dropped = lines.count(b"\n")
        self._dropped += dropped
        self._count(dropped)

    def _say_lost(self) -> None:
        self._buffer += self._lost(self._dropped)
        self._dropped = 0

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._buffer)
                piece = self._next_piece()
            written = self._send(piece)
            with self._changed:
                del self._buffer[: len(piece)]
                if not written:
                    self._note(piece)
                if len(self._buffer) <= self._bytes_max // 2:
                    self._full = False
                    if written and self._dropped:
                        self._say_lost()
                self._changed.notify_all()

    def _next_piece(self) -> bytes:
        """Whole lines, as many as are taken in one piece; a line that is longer than that, alone."""
        end = self._buffer.rfind(b"\n", 0, self._piece_max) + 1 or self._buffer.find(b"\n") + 1
        return bytes(self._buffer[:end])

    def _send(self, piece: bytes) -> bool:
        """Whether all was written. A reader that has gone, or a disk that is full, costs the lines and nothing else."""
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:  # somebody else has made it non-blocking
                select.select([], [self.descriptor], [])
            except OSError:
                return False
        return True
