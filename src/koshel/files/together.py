"""How many batches of an import are settled in one database transaction.

Callers wait for the accounts of these batches. So there are as many as are settled in an eighth of a second, by what
the last ones took; and in three quarters of a second as long as nobody is seen to wait. After another client's lock was
in the way, batches are settled one by one for a while.
"""

BATCHES_FIRST = 1  # nothing is known yet of the machine, and of the lines
BATCHES_MAX = 24
GROWTH = 2  # at most so many times as many as the last time
HELD_S = 0.125  # how long accounts are locked while callers wait for them
HELD_ALONE_S = 0.75  # and while nobody does
SHORT = 64  # database transactions that do not last longer than HELD_S after somebody was seen to wait
APART = 8  # batches that are settled one by one after a lock was in the way


class Together:
    """It is told what became of the batches of one import."""

    def __init__(self) -> None:
        self._count = min(BATCHES_FIRST, BATCHES_MAX)
        self._apart = 0  # batches that have to be settled one by one
        self._short = 0  # database transactions that have to be short

    def count(self) -> int:
        """How many batches to take next."""
        return 1 if self._apart else self._count

    @property
    def is_apart(self) -> bool:
        """Whether batches have to be settled one by one."""
        return self._apart > 0

    def settled(self, batches: int, seconds: float, *, is_waited_for: bool = False) -> None:
        """So many batches have taken so long in all, together or one by one; whether somebody waited for them."""
        self._short = SHORT if is_waited_for else max(0, self._short - 1)
        held_s = HELD_S if self._short else HELD_ALONE_S
        fitting = int(held_s * batches / seconds) if seconds > 0 else BATCHES_MAX
        self._count = max(1, min(fitting, batches * GROWTH, BATCHES_MAX))
        self._apart = max(0, self._apart - batches)

    def obstructed(self) -> None:
        """Another client had locked one of the accounts: the others must not be locked while it is waited for."""
        self._apart = APART
