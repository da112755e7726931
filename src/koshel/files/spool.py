"""What was checked, kept in a file until it is settled."""

from collections.abc import Callable, Iterator, Sequence
from typing import IO

from msgspec import msgpack

from koshel.files.wishes import Wish

STRETCH_BYTES_MAX = 8_000_000  # of some batches: several times as much when they are read
_LENGTH_BYTES = 4


class Spool:
    """Batches, in their order, in a file that is open for writing and reading, and empty."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._encode = msgpack.Encoder().encode
        self._decode = msgpack.Decoder(list[Wish]).decode

    def put(self, batch: Sequence[Wish]) -> None:
        """One batch more."""
        taken = self._encode(batch)
        self._file.write(len(taken).to_bytes(_LENGTH_BYTES) + taken)

    def stretches(self, count: Callable[[], int]) -> Iterator[list[list[Wish]]]:
        """All of them, from the first, each time as many as `count` says; or fewer, where lines are long."""
        self._file.seek(0)
        stretch, size, batches_max = list[list[Wish]](), 0, count()
        while length := int.from_bytes(self._file.read(_LENGTH_BYTES)):
            if len(stretch) == batches_max or (stretch and size + length > STRETCH_BYTES_MAX):
                yield stretch
                stretch, size, batches_max = [], 0, count()
            stretch.append(self._decode(self._file.read(length)))
            size += length
        if stretch:
            yield stretch
