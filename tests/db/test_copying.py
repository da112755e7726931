"""The text of COPY has every value of every row, whether all rows have the same one or each its own."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from koshel.core.commands import Kind, Move
from koshel.core.model import Posted
from koshel.core.sides import Side
from koshel.db.mapping.copying import receipts, transactions

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
CENT = Decimal("0.01")


def posted(key: str | None = "k", *, source: int | None = 1, target: int | None = 2, **labels: object) -> Posted:
    out_of, into = (None if one is None else Side(one, Decimal("5.00"), Decimal("0.00"), 3) for one in (source, target))
    return Posted(1, Kind.TRANSFER, out_of, into, CENT, "USD", key, NOW, **labels)  # type: ignore[arg-type]


def columns(rows: Sequence[Posted]) -> dict[str, list[str]]:
    """The cells of each column that is written."""
    copy = transactions(rows, range(7, 7 + len(rows)), 9)
    cells = [line.split("\t") for line in copy.text.decode().splitlines()]
    return dict(zip(copy.columns, map(list, zip(*cells, strict=True)), strict=True))


def test_rows_have_the_ids_and_the_group_that_they_are_given() -> None:
    found = columns([posted("a"), posted("b")])
    assert (found["id"], found["group_id"], found["idempotency_key"]) == (["7", "8"], ["9", "9"], ["a", "b"])
    assert (found["ledger_id"], found["kind"], found["ctime"]) == (["1"] * 2, ["transfer"] * 2, [NOW.isoformat()] * 2)
    assert not {"parent_id", "reference", "source_held", "expires_at"} & found.keys()


@pytest.mark.parametrize(
    ("one", "other", "cells"),
    [
        ("100%s", "100%s", ["100%s", "100%s"]),
        ("a\\b", "a\\b", ["a\\\\b", "a\\\\b"]),
        ("a", "%s\\", ["a", "%s\\\\"]),
        ("None", None, ["None", "\\N"]),
        ("a", "", ["a", "\\N"]),
    ],
)
def test_a_text_is_written_as_it_is_in_all_rows_or_in_one(one: str, other: str | None, cells: Sequence[str]) -> None:
    assert columns([posted(reference=one), posted(reference=other)])["reference"] == cells


def test_amounts_that_are_equal_keep_their_own_decimals() -> None:
    sides = [Side(1, Decimal(5), Decimal(2), 3), Side(1, Decimal("5.0"), Decimal("2.0"), 3)]
    found = columns([Posted(1, Kind.WITHDRAWAL, side, None, CENT, "USD", None, NOW) for side in sides])
    assert (found["source_balance"], found["source_held"]) == (["5", "5.0"], ["2", "2.0"])


def test_a_side_that_is_the_world_outside_is_null() -> None:
    found = columns([posted(source=None), posted(target=None)])
    assert (found["source_account_id"], found["source_balance"]) == (["\\N", "1"], ["\\N", "5.00"])
    assert (found["target_account_id"], found["target_version"]) == (["2", "\\N"], ["3", "\\N"])


@pytest.mark.parametrize("other", [{}, {"a": "%\\"}])
def test_metadata_is_written_whether_all_have_the_same_or_not(other: dict[str, str]) -> None:
    found = columns([posted(metadata={"a": "%\\"}), posted(metadata=other)])
    same = '{"a":"%\\\\\\\\"}'
    assert found["metadata"] == [same, same if other else "{}"]


def test_days_and_whole_numbers_are_written_as_they_are() -> None:
    found = columns([posted(effective_on=date(2026, 1, 31), parent_id=4), posted()])
    assert (found["effective_on"], found["parent_id"]) == (["2026-01-31", "\\N"], ["4", "\\N"])


def test_receipts_are_of_those_that_have_a_key_in_the_order_of_the_keys() -> None:
    asked = Move(1, Kind.TRANSFER, 1, 2, CENT, "a", source="x", target="y")
    copy = receipts([posted("b"), posted(None), posted("a", request=asked)], [7, 8, 9])
    first, second = copy.text.decode().splitlines()
    assert second == "1\tb\t7\t\\N"
    assert first.startswith('1\ta\t9\t{"type":"move"')
