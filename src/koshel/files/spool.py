"""What was checked, kept in a file until it is settled."""

from collections.abc import Iterator, Sequence
from typing import IO

from msgspec import msgpack

from koshel.files.wishes import Wish

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

    def batches(self) -> Iterator[list[Wish]]:
        """All of them, from the first."""
        self._file.seek(0)
        while length := self._file.read(_LENGTH_BYTES):
            yield self._decode(self._file.read(int.from_bytes(length)))
