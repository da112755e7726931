"""What each kind of transaction has, and has not: every mixture, judged by three that must agree.

the schema ── KINDS, said by name ── the rule as 0003 had it, which PostgreSQL took five times as long to prepare
"""

import itertools
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.db.starting import migrate, schema
from tests.support.bookkeeping import execute
from tests.support.table_rows import TRANSFER, Connection, insert

SOURCE = ("source_account_id", "source_balance", "source_version")
TARGET = ("target_account_id", "target_balance", "target_version")
NAMED = ("target_account_id",)
PARENT = ("parent_id",)
EXPIRES = ("expires_at",)
COLUMNS = (*SOURCE, *TARGET, *PARENT, *EXPIRES)
KINDS: Mapping[str, Sequence[Sequence[str]]] = {
    "transfer": [SOURCE + TARGET],
    "payment": [TARGET],
    "withdrawal": [SOURCE],
    "hold": [SOURCE + EXPIRES, SOURCE + NAMED + EXPIRES],
    "capture": [SOURCE + PARENT, SOURCE + TARGET + PARENT],
    "void": [SOURCE + PARENT, SOURCE + NAMED + PARENT],
    "expiry": [SOURCE + PARENT, SOURCE + NAMED + PARENT],
    "refund": [SOURCE + PARENT, TARGET + PARENT, SOURCE + TARGET + PARENT],
}
ODD = ("gift", "Transfer", "transfer ", " transfer", "transfer450transfer", "transfer-35", "0", "450")
MIXTURES = 1 << len(COLUMNS)  # the bits of a mixture's number are the columns that it has
RULE = "SELECT pg_get_expr(conbin, conrelid) AS rule FROM pg_constraint WHERE conname = 'transaction_kind_check'"


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> Iterator[str]:
    """The owner's URL of a database without a schema."""
    name = f"kinds_{os.getpid()}"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield cluster.url(database=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def migrated(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, migrated step by step; it has the rule of 0003 in the table `old`."""
    _migrate(url, tmp_path_factory.mktemp("before"), 3)
    execute(url, f"CREATE TABLE old AS {RULE}")
    _migrate(url, tmp_path_factory.mktemp("unread"), 4)
    # 0005 is given up after five seconds if it wants a lock that a payment stands in the way of.
    with psycopg.connect(url) as payment:
        insert(payment, "transaction", TRANSFER)
        applied = _migrate(f"{url}&options=-c%20lock_timeout%3D5000", tmp_path_factory.mktemp("read"), 5)
        assert applied == migrate.known()[4:5]
    migrate.migrate(url)
    return url


def _migrate(url: str, directory: Path, count: int) -> Sequence[str]:
    for name in migrate.known()[:count]:
        shutil.copy(schema.DIRECTORY / f"{name}.sql", directory)
    with pytest.MonkeyPatch.context() as then:
        then.setattr(schema, "DIRECTORY", directory)
        return migrate.migrate(url)


@pytest.fixture
def rules(migrated: str) -> Iterator[Connection]:
    """A connection as the owner, for one transaction that is rolled back, with a table `mixture` that has no rules.

    It has every mixture of every name that `names` thinks of.
    """
    columns = ", ".join(("id", "ledger_id", "amount", "metadata", "ctime", "kind", *COLUMNS))
    values = ", ".join(
        f"CASE WHEN mixed & {1 << place} > 0 THEN {'now()' if column in EXPIRES else '1'} END"
        for place, column in enumerate(COLUMNS)
    )
    with psycopg.connect(migrated) as connection:
        connection.execute("CREATE TEMP TABLE mixture (LIKE transaction)")
        connection.execute(
            f"INSERT INTO mixture ({columns}) SELECT mixed, 1, 1, '{{}}', now(), kind, {values}"
            f" FROM generate_series(0, {MIXTURES - 1}) AS mixed, unnest(%s::text[]) AS kind".encode(),
            (names(connection),),
        )
        yield connection
        connection.rollback()


def names(connection: Connection) -> list[str]:
    """Each kind, and what might be taken for one: each beginning of what the rule lists, and more."""
    listed = re.findall("[a-z]+[0-9]{3}", str(one(connection, RULE)))
    return sorted({*KINDS, *ODD, *itertools.chain.from_iterable(itertools.accumulate(part) for part in listed)})


def one(connection: Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_of_every_mixture_the_schema_takes_what_its_kind_has_and_nothing_else(rules: Connection) -> None:
    assert one(rules, "SELECT count(*) FROM mixture") == MIXTURES * len(names(rules)) > 10_000
    taken = rules.execute(f"SELECT kind, id FROM mixture WHERE ({one(rules, RULE)})".encode()).fetchall()
    assert set(taken) == {
        (kind, sum(1 << COLUMNS.index(column) for column in columns))
        for kind, mixtures in KINDS.items()
        for columns in mixtures
    }


def test_the_rule_is_the_one_that_0003_had(rules: Connection) -> None:
    old, new = one(rules, "SELECT rule FROM old"), one(rules, RULE)
    assert old != new
    assert one(rules, f"SELECT count(*) FROM mixture WHERE ({old}) IS DISTINCT FROM ({new})") == 0
    assert one(rules, f"SELECT count(*) FROM mixture WHERE ({new}) IS NULL") == 0


def test_the_rows_that_were_there_were_read_through_while_somebody_paid(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        assert one(connection, "SELECT count(*) FROM transaction") == 1
        assert one(connection, "SELECT bool_and(convalidated) FROM pg_constraint WHERE contype = 'c'") is True


def test_what_has_no_kind_is_not_taken(rules: Connection) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        insert(rules, "transaction", TRANSFER | {"kind": "NULL"})
