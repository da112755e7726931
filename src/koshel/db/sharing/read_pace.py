"""How much of one ledger may wait for a connection, so that nothing waits longer than it should.

Little's law, as of the batcher: what ended lately in a second, times the time that one may wait, is how much may wait.
"""

FLOOR = 256  # of weight, that may always wait: after a standstill enough must end to show that it is over
UNKNOWN = 2**63  # as long as no pace was seen
SEEN_MIN = 64  # of weight: before so much has ended nothing is known
MEMORY = 256  # of weight: what ended longer ago hardly counts
PAUSE_MAX_S = 1.0  # that counts between two ends: a standstill is no pace


class Pace:
    """The pace of one ledger's calls; `target_s` is how long the last one may wait."""

    __slots__ = ("_ended_at", "_s", "_target_s", "_weight", "limit")

    def __init__(self, target_s: float) -> None:
        self.limit = UNKNOWN  # of weight
        self._target_s = target_s
        self._weight = self._s = 0.0  # what ended, and in what time
        self._ended_at = 0.0

    def began(self, now: float) -> None:
        """The first one waits; before that nothing says how fast calls can end."""
        self._ended_at = now

    def ended(self, weight: int, now: float) -> None:
        """One has ended while others wait."""
        keep = MEMORY / (MEMORY + weight)
        self._s = self._s * keep + min(now - self._ended_at, PAUSE_MAX_S)
        self._weight = self._weight * keep + weight
        self._ended_at = now
        if self._weight >= SEEN_MIN:
            self.limit = max(FLOOR, int(self._target_s * self._weight / max(self._s, 1e-6)))
