"""The accounts that a process knows to exist. An account is never deleted, so what was true once stays true."""

from collections.abc import Set as AbstractSet

KNOWN_MAX = 100_000  # ids; some megabytes


class Known:
    """A bounded set of account ids. It forgets them all when it is full, and learns them again."""

    def __init__(self) -> None:
        self._ids: set[int] = set()

    def add(self, ids: AbstractSet[int]) -> None:
        """These accounts exist."""
        if len(self._ids) > KNOWN_MAX:
            self._ids.clear()
        self._ids |= ids

    def those_unknown(self, ids: AbstractSet[int]) -> AbstractSet[int]:
        """Those of the ids that may not exist."""
        return ids - self._ids
