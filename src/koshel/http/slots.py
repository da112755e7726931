"""Places for what only a few may do at once in a worker: nobody takes all of them from the others.

A share may take all places while nobody else wants one. Beyond them only those have a place who have less than their
equal part: of all ledgers, and in a ledger of its keys. So whoever comes without any finds one, until all together have
`most_together`, and what a ledger's keys have together is no more than twice its part.
"""

from collections import Counter
from collections.abc import Hashable

from koshel.errors import Overloaded
from koshel.shares import Share

EXTRA = 4


class Slots:
    """So many places: `most` for one share, `most_together` for all, by default EXTRA times as many."""

    def __init__(self, most: int, most_together: int | None = None) -> None:
        self._most = most
        self._most_together = EXTRA * most if most_together is None else most_together
        assert 0 < self._most <= self._most_together
        self._houses: Counter[Hashable] = Counter()
        self._shares: Counter[Share] = Counter()
        self.taken = 0

    def take(self, share: Share) -> "Slot":
        """A place, if there is one for this share. Raises Overloaded."""
        if self.taken >= self._most and not self._is_part(share):
            raise Overloaded
        return Slot(self, share)

    def add(self, share: Share, by: int) -> None:
        """A share has so many places more, or fewer."""
        self.taken += by
        self._houses[share[0]] += by
        self._shares[share] += by
        if not self._shares[share]:
            del self._shares[share]
        if not self._houses[share[0]]:
            del self._houses[share[0]]

    def _is_part(self, share: Share) -> bool:
        house = share[0]
        houses = len(self._houses) + (house not in self._houses)
        within = sum(one[0] == house for one in self._shares) + (share not in self._shares)
        return (
            self.taken < self._most_together
            and self._houses[house] * houses < 2 * self._most
            and self._shares[share] * houses * within < self._most
        )


class Slot:
    """A place that is taken: given back when nothing refers to it any more.

    So it is however the reply ends: sent, broken off, or never begun.
    """

    def __init__(self, slots: Slots, share: Share) -> None:
        self._slots = slots
        self._share = share
        slots.add(share, 1)

    def __del__(self) -> None:
        self._slots.add(self._share, -1)
