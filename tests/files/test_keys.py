"""The keys of lines: the same whenever and in whichever format a line is imported, and another for each other line."""

from typing import Any

import pytest

from koshel.files.keys import Keys

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
    assert Keys().key(MOVED) == Keys().key(later)


@pytest.mark.parametrize(
    "other",
    [MOVED | {name: "3"} for name in ("id", "source_account_id", "target_account_id", "amount", "currency", "kind")]
    + [MOVED | {"ctime": "2026-11-27T09:40:53.123457+00:00"}],
)
def test_another_transaction_is_another(other: dict[str, Any]) -> None:
    assert Keys().key(MOVED) != Keys().key(other)


def test_of_a_line_of_ones_own_all_counts_and_equal_lines_are_told_apart() -> None:
    keys = Keys()
    said: dict[str, Any] = {"target": "users:1", "amount": "5", "description": "lunch"}
    assert keys.key(said) == Keys().key(said | {"metadata": None})
    assert keys.key(said) not in {Keys().key(said), Keys().key(said | {"description": "dinner"})}
