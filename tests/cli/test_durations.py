"""Lengths of time, as people write them."""

import pytest

from koshel.config.durations import LONGEST_S, seconds


@pytest.mark.parametrize(
    ("text", "meant"),
    [("0s", 0), ("45s", 45), ("30m", 1_800), ("24h", 86_400), ("90d", 7_776_000), ("36500d", LONGEST_S)],
)
def test_a_length_of_time_has_a_number_and_a_unit(text: str, meant: int) -> None:
    assert seconds(text) == meant


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "1 d", "1w", "1D", "1d\n", "36501d", "9" * 5_000 + "s"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a length of time"):
        seconds(text)
