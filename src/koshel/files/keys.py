"""The idempotency keys of lines that have none of their own."""

from collections import Counter
from hashlib import blake2b
from typing import Any

from msgspec import json

PREFIX = "import:"


class Keys:
    """A key is made of all that a line says, and of how many equal lines came before it in the file.

    So it is the same when the file is imported again, wherever the line stands by then. A digest is remembered for each
    line that has no key of its own.
    """

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def key(self, values: dict[str, Any]) -> str:
        """The key of the next line."""
        digest = blake2b(json.encode(values, order="deterministic"), digest_size=16)
        self._seen[digest.digest()] += 1
        return f"{PREFIX}{digest.hexdigest()}:{self._seen[digest.digest()]}"


class Once:
    """Tells what comes twice in a file: of each text it remembers a digest of 16 bytes."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def is_new(self, text: str) -> bool:
        """Whether the text comes for the first time."""
        digest = blake2b(text.encode(), digest_size=16).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True
