"""Who else has used the worker lately."""

import pytest

from koshel.shares import NOBODY, OPEN, PRESENT_S, Neighbours, Share
from tests.support.flights import Settle, open_queues, turn

A, B, C = (1, "a"), (1, "b"), (2, "c")
# who was seen, whether A's ledger has others, whether A has
SEEN = [
    ([], False, False),
    ([A], False, False),
    ([NOBODY, A, NOBODY], False, False),
    ([OPEN, A, OPEN], False, False),
    ([B], False, True),
    ([A, B, A], False, True),
    ([C], True, True),
    ([C, A, A], True, True),
    ([C, B, A], True, True),
]


@pytest.mark.parametrize(("seen", "ledgers", "shares"), SEEN)
def test_another_ledger_or_key_is_there_for_a_moment_after_it_was_seen(
    seen: list[Share], *, ledgers: bool, shares: bool
) -> None:
    neighbours = Neighbours()
    for one in seen:
        neighbours.saw([one], 10.0)
    for later_s, is_there in ((0.0, True), (PRESENT_S / 2, True), (PRESENT_S * 1.1, False)):
        now = 10.0 + later_s
        assert neighbours.houses.has_others(A[0], now) is (ledgers and is_there)
        assert neighbours.shares.has_others(A, now) is (shares and is_there)


async def test_whose_commands_are_settled_was_seen() -> None:
    async with open_queues(Settle()) as batcher:
        await batcher.submit("one", size=1, share=C)
        await turn()
        now = batcher._loop.time()
        assert batcher.neighbours.houses.has_others(A[0], now)
        assert not batcher.neighbours.houses.has_others(C[0], now)
