"""Cells that no spreadsheet takes for a formula, and that are read again unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koshel.files.cells import FORMULA, safe, unsafe


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A1", "'=cmd|' /C calc'!A1"),
        ("+49 30 1234", "'+49 30 1234"),
        ("@users:42", "'@users:42"),
        ("-", "'-"),
        ("\tx", "'\tx"),
        ("'quoted", "''quoted"),
        ("-12.50", "-12.50"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_text_that_a_formula_begins_with_has_an_apostrophe_before_it(text: str, cell: str) -> None:
    assert safe(text) == cell
    assert unsafe(cell) == text


@given(st.text() | st.tuples(st.sampled_from(FORMULA), st.text()).map("".join))
def test_every_text_comes_back_and_no_cell_is_a_formula(text: str) -> None:
    assert unsafe(safe(text)) == text
    assert not safe(text).startswith(("=", "+", "@", "\t", "\r"))


def test_a_cell_that_nobody_has_made_safe_is_its_own_text() -> None:
    assert unsafe("'tis") == "'tis"
