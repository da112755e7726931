"""The migrations of a database beside those that this version knows."""

import pytest

from koshel.db.starting.schema import Compared, compared, known

LAST = known()[-1]


@pytest.mark.parametrize(
    ("applied", "due", "unknown"),
    [
        (known(), [], []),
        ([], known(), []),
        (known()[:-1], [LAST], []),
        ([*known(), "0100.b", "0099.a"], [], ["0099.a", "0100.b"]),
        ([*known()[:-1], "0099.a"], [LAST], ["0099.a"]),
    ],
)
def test_what_is_due_and_what_is_unknown(applied: list[str], due: list[str], unknown: list[str]) -> None:
    assert compared(applied) == Compared(due, unknown)


def test_a_newer_schema_is_said_with_what_is_unknown() -> None:
    assert not compared(known()).newer
    said = "the schema is newer than this version of Koshel, which does not know 0099.a, 0100.b"
    assert compared([*known(), "0099.a", "0100.b"]).newer == said
