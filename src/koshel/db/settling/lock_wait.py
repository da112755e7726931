"""How long a batch waits for a lock: longer than another batch holds it, and much less long than a stranger may."""

LEAST_MS = 30
TIMES = 4  # as long as a batch holds its locks: so many processes may be before this one
FORGETS = 0.1  # of how long the longest held them, with each batch


class LockWait:
    """It is learned from how long batches hold their locks."""

    def __init__(self, most_ms: int) -> None:
        self._most_ms = most_ms
        self._longest_s = 0.0

    @property
    def ms(self) -> int:
        """Milliseconds."""
        return min(max(LEAST_MS, round(self._longest_s * 1_000 * TIMES)), self._most_ms)

    def held(self, seconds: float) -> None:
        """A batch has held its locks for so long."""
        self._longest_s = max(seconds, self._longest_s + FORGETS * (seconds - self._longest_s))
