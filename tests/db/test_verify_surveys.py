"""What a survey by sums finds right, the exact statements find right too; and what is wrong, each of them finds."""

from collections.abc import Iterator

import pytest

from koshel.db import queries
from koshel.db.verifying import checks as verify_checks
from koshel.db.verifying import verify
from koshel.db.verifying.verify import Connection
from tests.db.test_verify import WRONG as LINES
from tests.db.test_verify_holds import WRONG as HOLDS
from tests.db.test_verify_parents import WRONG as PARENTS
from tests.db.test_verify_queued import WRONG as QUEUED

SEEDS = (0, 1, 2**61, 2**62 - 1)
WRONG = [statements for table in (LINES, HOLDS, PARENTS, QUEUED) for statements, _ in table.values()]
# Ids and times of which two differ in one half of their bits only, or that stand for nothing.
FAR = [
    "UPDATE batch SET transaction_ids = ARRAY[4, 5 + (1::bigint << 32)] WHERE transaction_ids = '{4,5}'",
    "UPDATE batch SET transaction_ids = ARRAY[4, 4 | (1::bigint << 32)] WHERE transaction_ids = '{4,5}'",
    "UPDATE batch SET transaction_ids = '{77,4,5}' WHERE transaction_ids = '{4,5}'",
    "UPDATE account SET version = version + 1 WHERE id = 6",
    "UPDATE account SET id = 4000000000000000000 WHERE id = 5",
    "DELETE FROM account WHERE id = 6",
    "UPDATE transaction SET ctime = ctime - interval '1 hour' WHERE id = 19",
]


@pytest.fixture
def connection(books: str) -> Iterator[Connection]:
    with verify.connect(books) as connection:
        connection.read_only = False
        yield connection
        connection.rollback()


@pytest.mark.parametrize("statements", [*WRONG, *FAR])
def test_a_survey_suspects_all_that_is_wrong(connection: Connection, statements: str) -> None:
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement.encode())
    for survey, exact in verify_checks.SURVEYED.items():
        if any(rows(connection, name) for name in exact):
            assert all(suspected(connection, survey, seed) for seed in SEEDS), survey


def test_a_survey_suspects_nothing_else(connection: Connection) -> None:
    for survey in verify_checks.SURVEYED:
        assert not any(suspected(connection, survey, seed) for seed in SEEDS), survey


def test_accounts_whose_ids_leave_no_room_for_their_versions_are_looked_at_one_by_one(connection: Connection) -> None:
    connection.execute(b"UPDATE account SET id = 9000000000000000000 WHERE id = 6")
    assert suspected(connection, "survey_times", 0) == 1
    assert not rows(connection, "verify_times")


def suspected(connection: Connection, survey: str, seed: int) -> int:
    statement = getattr(queries.load(), survey)
    row = connection.execute(statement.encode(), (seed,) if "$1" in statement else ()).fetchone()
    assert row is not None
    return int(row["suspects"])


def rows(connection: Connection, name: str) -> list[object]:
    return [dict(row) for row in connection.execute(getattr(queries.load(), name).encode(), (1_000,))]
