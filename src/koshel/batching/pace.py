"""How much may wait, so that nothing waits longer than it should: what comes beyond that is refused at once.

Little's law: the rate at which commands were settled lately, times the time that one may wait, is how many may wait.
"""

FLOOR = 256  # commands that may always wait: after a standstill batches must be large enough to show that it is over
SEEN_MIN = 32  # commands: what a smaller batch takes is not for its commands, but for being a batch
SMOOTHING = 0.25  # of the newest batch
UNKNOWN = 2**63  # as long as no pace was seen
SHARED_S = 0.004  # that a batch takes while one of several shares floods: the next turn is that far away
SHARED_MIN = 32  # commands: below that a batch costs more for being one than for its commands

assert SEEN_MIN < FLOOR, "else a pace that was slow once would stay so"


class Pace:
    """The pace of one queue; `target_s` is how long its last command may wait."""

    def __init__(self, target_s: float) -> None:
        self.limit = UNKNOWN  # commands that should wait at most
        self.shared = UNKNOWN  # commands in a batch while one of several shares floods
        self._target_s = target_s
        self._per_s = 0.0  # commands settled lately
        self._landed = 0.0

    def landed(self, weight: int, now: float, took: float) -> None:
        """So much was settled. What passed since the last batch landed counts too, unless nothing was under way."""
        since, self._landed = now - self._landed, now
        if weight < SEEN_MIN:
            return
        per_s = weight / max(min(since, 2 * took), 1e-6)
        self._per_s += (per_s - self._per_s) * (SMOOTHING if self._per_s else 1.0)
        self.limit = max(FLOOR, int(self._target_s * self._per_s))
        self.shared = max(SHARED_MIN, int(SHARED_S * self._per_s))
