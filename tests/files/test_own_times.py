"""The times that lines have of their own: what becomes of them, and which are a fault."""

from pathlib import Path

import pytest

from koshel.files.faults import Fault, Faulty
from koshel.files.importing import Result
from koshel.inputs.moments import OUT_OF_RANGE, REASON
from tests.support.bringing import bring_in, counts, faults_of, written
from tests.support.database import Database
from tests.support.settled import query


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_has_in_no_year_is_a_fault_of_its_line(paid: Database, tmp_path: Path, time: str) -> None:
    path = written(tmp_path / "t.csv", f"id,target,amount,ctime\n1,a,1,2026-01-31T09:00:00Z\n2,a,1,{time}\n")
    with pytest.raises(Faulty) as raised:
        bring_in(paid, "main", "transactions", path)
    assert raised.value.faults == [Fault(3, "ctime", OUT_OF_RANGE)]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ('"ctime":"2024-03-01T10:00:00Z"', "2024-03-01"),
        ('"ctime":"2024-03-01T00:30:00+01:00"', "2024-02-29"),
        ('"ctime":"2024-03-01T23:30:00-01:00","effective_on":""', "2024-03-02"),
        ('"ctime":"2024-03-01T10:00:00Z","effective_on":"2024-02-01"', "2024-02-01"),
        ('"ctime":"yesterday","effective_on":"2024-02-01"', "2024-02-01"),
        ('"ctime":"2024-03-01T10:00:00Z","reference":"x","effective_on":null', "2024-03-01"),
        ('"ctime":"2024-03-01T10:00:00Z","idempotency_key":"k"', "2024-03-01"),
        ('"ctime":"2024-03-01T10:00:00Z","id":7', "2024-03-01"),
        ('"ctime":""', None),
        ('"ctime":null,"effective_on":null', None),
    ],
)
def test_a_line_counts_for_the_day_of_its_own_time_if_it_says_no_other(
    paid: Database, tmp_path: Path, said: str, day: str | None
) -> None:
    """Its time is that of the import, so that times along an account never fall."""
    path = written(tmp_path / "t.jsonl", f'{{"target":"b","amount":"1",{said}}}\n')
    assert bring_in(paid, "main", "transactions", path) == Result(new=1)
    latest = "SELECT effective_on::text, ctime >= ALL (SELECT ctime FROM transaction) FROM transaction"
    assert query(paid, f"{latest} ORDER BY id DESC LIMIT 1") == [(day, True)]
    assert counts(bring_in(paid, "main", "transactions", path)) == (0, 1)


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("yesterday", REASON),
        ("01.03.2024 10:00", REASON),
        ("2024-03-01T10:00:00", "must have an offset from UTC, such as Z"),
        ("2024-03-01", "must have an offset from UTC, such as Z"),
        ("0001-01-01T00:00:00+14:00", OUT_OF_RANGE),
    ],
)
def test_a_time_that_names_no_day_is_a_fault_of_a_line_without_one(
    paid: Database, tmp_path: Path, time: str, why: str
) -> None:
    path = written(tmp_path / "t.csv", f"target,amount,ctime\na,1,2026-01-31T09:00:00Z\na,1,{time}\n")
    assert faults_of(paid, "transactions", path) == [f"line 3: ctime {why}"]
