"""The keys of lines: the same whenever and in whichever format a line is imported, and another for each other line."""

from typing import Any

import pytest

from koshel.files.keys import Keys
from koshel.inputs.moments import OUT_OF_RANGE, REASON
from koshel.inputs.values import Invalid

MOVED = {
    "id": 7,
    "kind": "transfer",
    "source_account_id": 1,
    "target_account_id": 2,
    "amount": "12.50",
    "currency": "USD",
    "ctime": "2026-11-27T09:40:53.123456+00:00",
}
AS_TEXTS = {name: str(one) for name, one in MOVED.items()} | {"ctime": "2026-11-27 09:40:53.123456+00"}


@pytest.mark.parametrize(
    "later",
    [
        AS_TEXTS,
        MOVED | {"metadata": {"invoice": "9"}, "description": "x", "reference": "y"},
        AS_TEXTS | {"metadata": "", "source": ""},
        MOVED | {"target": None},
        MOVED | {"ctime": "2026-11-27T12:40:53.123456+03:00"},
    ],
)
def test_what_was_exported_is_known_again(later: dict[str, Any]) -> None:
    assert Keys().known(MOVED) == Keys().known(later)


@pytest.mark.parametrize(
    "other",
    [MOVED | {name: "3"} for name in ("id", "source_account_id", "target_account_id", "amount", "currency", "kind")]
    + [MOVED | {"ctime": "2026-11-27T09:40:53.123457+00:00"}],
)
def test_another_transaction_is_another(other: dict[str, Any]) -> None:
    assert Keys().known(MOVED) != Keys().known(other)


def test_of_a_line_of_ones_own_all_counts_and_equal_lines_are_told_apart() -> None:
    keys = Keys()
    said: dict[str, Any] = {"target": "users:1", "amount": "5", "description": "lunch"}
    assert keys.known(said) == Keys().known(said | {"metadata": None})
    assert keys.known(said) not in {Keys().known(said), Keys().known(said | {"description": "dinner"})}


FIRST, LAST = "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"


@pytest.mark.parametrize(
    ("said", "in_utc"),
    [
        (f"{FIRST}-14:00", "0001-01-01T14:00:00+00:00"),
        (f"{FIRST}-23:59", "0001-01-01T23:59:00+00:00"),
        (f"{FIRST}Z", f"{FIRST}+00:00"),
        ("2026-11-27T17:47:39.924640Z", "2026-11-27T17:47:39.92464+00:00"),  # as exports wrote it once
        ("2026-11-27T17:47:39.000000Z", "2026-11-27T17:47:39+00:00"),
        (f"{LAST}+14:00", "9999-12-31T09:59:59.999999+00:00"),
        (f"{LAST}+00:00", f"{LAST}Z"),
    ],
)
def test_a_time_at_either_end_of_the_calendar_is_known_again(said: str, in_utc: str) -> None:
    assert Keys().known(MOVED | {"ctime": said}) == Keys().known(MOVED | {"ctime": in_utc})


@pytest.mark.parametrize("said", [f"{FIRST}+14:00", f"{FIRST}+00:01", f"{LAST}-14:00", f"{LAST}-00:00:01"])
def test_a_time_that_utc_has_in_no_year_is_refused(said: str) -> None:
    with pytest.raises(Invalid) as raised:
        Keys().known(MOVED | {"ctime": said})
    assert (raised.value.field, raised.value.reason) == ("ctime", OUT_OF_RANGE)


@pytest.mark.parametrize("said", ["2026-11-27T09:40:53.123456", "2026-11-27 09:40:53", "2026-11-27"])
def test_a_time_without_an_offset_is_refused(said: str) -> None:
    """Whoever drops the offset does not get the same transaction a second time under another key."""
    with pytest.raises(Invalid) as raised:
        Keys().known(MOVED | {"ctime": said})
    assert (raised.value.field, raised.value.reason) == ("ctime", "must have an offset from UTC, such as Z")


@pytest.mark.parametrize("said", ["27.11.2026 09:40", "11/27/26 9:40 AM", "yesterday", 1_800_000_000_000, True])
def test_a_time_that_cannot_be_read_is_refused(said: object) -> None:
    """As a spreadsheet may spell it: the same transaction would be another one."""
    with pytest.raises(Invalid) as raised:
        Keys().known(MOVED | {"ctime": said})
    assert (raised.value.field, raised.value.reason) == ("ctime", REASON)
