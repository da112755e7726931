"""The end of a split costs what its own holds cost, however much is settled with it."""

import pytest

from koshel.core.ends import end_split
from koshel.core.model import State
from tests.core.test_ends import BOOK, HOLDS
from tests.support.split_legs import end
from tests.support.wallets import postings


def test_the_whole_book_is_not_copied_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "copy", None)
    before = [state.copy() for state in (BOOK.state.accounts, BOOK.state.holds, BOOK.state.turnovers)]
    assert len(postings([end_split(BOOK, end("capture", *HOLDS))])) == len(HOLDS)
    assert [BOOK.state.accounts, BOOK.state.holds, BOOK.state.turnovers] == before
