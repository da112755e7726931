"""Places for what only a few may do at once: nobody takes all of them from the others."""

from collections import Counter
from collections.abc import Sequence

import pytest

from koshel.config.settings import Settings
from koshel.errors import Overloaded
from koshel.http.limits import SUMS_MAX, CallerLimits
from koshel.http.slots import EXTRA, Slot, Slots
from koshel.shares import NOBODY, Share


def taken_by(slots: Slots, shares: Sequence[Share]) -> tuple[list[Slot], Counter[Share]]:
    """The places that shares have got, which ask one after the other."""
    kept: list[Slot] = []
    got: Counter[Share] = Counter()
    for share in shares:
        try:
            kept.append(slots.take(share))
        except Overloaded:
            continue
        got[share] += 1
    return kept, got


@pytest.mark.parametrize("share", [NOBODY, (1, None), (1, "a")])
@pytest.mark.parametrize("most", [1, 2, 16])
def test_who_is_alone_has_all_places_and_no_more(most: int, share: Share) -> None:
    kept, got = taken_by(Slots(most), [share] * 100)
    assert got == {share: most}
    assert len(kept) == most


@pytest.mark.parametrize("most", [1, 2, 16])
@pytest.mark.parametrize("other", [(2, "b"), (1, "b"), (2, None)], ids=["ledger", "key", "no-key"])
def test_another_ledger_or_key_finds_one_however_many_one_has(most: int, other: Share) -> None:
    kept, got = taken_by(Slots(most), [(1, "a")] * 100 + [other] * 100)
    assert got[1, "a"] == most
    assert 1 <= got[other] <= most // 2 + 1
    assert len(kept) == got.total()


@pytest.mark.parametrize("most", [2, 16])
def test_a_ledger_of_many_keys_leaves_places_to_another(most: int) -> None:
    slots = Slots(most)
    kept, got = taken_by(slots, [(1, key) for key in range(100) for _ in range(3)])
    assert got.total() == len(kept) <= 2 * most
    assert slots.take((2, "b")) is not None


def test_all_together_have_no_more_than_so_many_times_as_many() -> None:
    kept, _ = taken_by(Slots(2), [(ledger, "a") for ledger in range(100)])
    assert len(kept) == EXTRA * 2


@pytest.mark.parametrize(("most", "together"), [(1, 1), (1, 2), (2, 2), (2, 3), (2, 8)])
def test_all_together_have_no_more_than_is_said(most: int, together: int) -> None:
    kept, _ = taken_by(Slots(most, together), [(ledger, key) for ledger in range(100) for key in "ab"])
    assert len(kept) == together


@pytest.mark.parametrize("connections", range(1, 21))
def test_sums_leave_a_connection_to_others_and_a_share_leaves_one_to_another(connections: int) -> None:
    sums = CallerLimits(Settings(read_connections=connections)).sums
    alone, got = taken_by(sums, [(1, "a")] * 100)
    assert 1 <= got.total() <= SUMS_MAX
    together, got = taken_by(sums, [(2, "b")] * 100 + [(ledger, None) for ledger in range(3, 100)])
    assert len(alone) + len(together) == min(EXTRA * SUMS_MAX, max(1, connections - 1))
    assert got[2, "b"] or connections < 3


def test_by_default_a_share_has_two_sums_and_another_finds_one() -> None:
    kept, got = taken_by(CallerLimits(Settings()).sums, [(1, "a")] * 5 + [(2, "b")] * 5)
    assert got == {(1, "a"): 2, (2, "b"): 1}
    assert len(kept) == 3


def test_what_is_given_back_is_the_next_ones() -> None:
    slots = Slots(2)
    kept, _ = taken_by(slots, [(1, "a")] * 2 + [(2, "b")])
    kept.clear()
    assert slots.taken == 0
    assert taken_by(slots, [(1, "a")] * 3)[1] == {(1, "a"): 2}
