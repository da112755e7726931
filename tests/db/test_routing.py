"""What Citus needs of a statement, read from its text: `docs/decisions/0024` says why, and lists the exceptions."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import pytest
from msgspec import structs

from koshel.db import queries
from koshel.db.errors import Conflict, translated
from koshel.db.queries import Queries
from koshel.db.starting import schema
from tests.db.test_queries import OWNERS, without_comments

SERVICES = [field.name for field in structs.fields(Queries) if field.name not in OWNERS]
DECISION = Path(__file__).parents[2] / "docs" / "decisions" / "0024-sql-that-citus-routes.md"
TABLE = (
    "account|transaction|receipt|batch|hold|queued|declined|cancelled|turnover|split|exchange|transaction_change"
    "|account_change"
)
REFERENCE = re.compile(rf"\b(?:FROM|JOIN|UPDATE|USING|,)\s+({TABLE})\b(?: AS (\w+))?")
LEDGER = r"ledger_id = (?:\$\d+|ANY\(\$\d+::bigint \[\]\))(?![:\w])"
VOLATILE = re.compile(r"\b(clock_timestamp|random|gen_random_uuid|nextval|timeofday)\(")
FROZEN = {"0001.wallet", "0002.money", "0003.checks", "0004.kinds", "0005.kinds_valid"}  # as they are, for ever


def statements() -> Iterator[tuple[str, str]]:
    for name in SERVICES:
        yield name, without_comments(getattr(queries.load(), name)).replace(f'"{queries.SCHEMA}".', "")


def unrouted(statement: str) -> set[str]:
    """The tables that a statement refers to without saying, beside each, whose ledgers' rows it wants."""
    references = [(table, alias or table) for table, alias in REFERENCE.findall(statement)]
    lone = len(references) == 1
    return {
        table
        for table, alias in references
        if not re.search(rf"\b{alias}\.{LEDGER}", statement)
        and not (lone and re.search(rf"(?<![.\w]){LEDGER}", statement))
    }


def listed(rule: str) -> set[str]:
    """The statements that the decision lists under a heading."""
    section = DECISION.read_text().split(f"### {rule}\n")[1].split("\n#")[0]
    return set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))


def test_every_table_has_a_condition_of_its_own_on_the_ledger_or_the_statement_is_listed() -> None:
    assert sorted(name for name, text in statements() if unrouted(text)) == sorted(
        listed("The ledger beside each table")
    )


def test_no_statement_has_what_citus_refuses() -> None:
    for name, text in statements():
        assert "OFFSET" not in text, name
        assert not re.search(r"[^S]\s\(\s*SELECT\b[^()]*\b(?:wanted|early)\.", text), (
            f"{name}: a correlated subquery on a function's rows"
        )
        if re.match(r"\s*UPDATE\b", text):
            assert not VOLATILE.search(text), f"{name}: a volatile function"


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT 1 FROM account WHERE ledger_id = $1", set()),
        ("SELECT 1 FROM account WHERE ledger_id = ANY($1::bigint [])", set()),
        ("SELECT 1 FROM account WHERE ledger_id = ANY($1::text::bigint [])", {"account"}),
        (
            "SELECT 1 FROM account AS a INNER JOIN hold AS h ON h.ledger_id = a.ledger_id WHERE a.ledger_id = $1",
            {"hold"},
        ),
        ("UPDATE queued SET due = $2 FROM unnest($1) AS one (id) WHERE queued.id = one.id", {"queued"}),
    ],
)
def test_a_condition_counts_if_it_stands_beside_the_table(statement: str, tables: set[str]) -> None:
    assert unrouted(statement) == tables


def test_a_new_migration_alters_one_thing_at_a_time_and_names_its_constraints() -> None:
    for path in schema.DIRECTORY.glob("*.sql"):
        if path.stem not in FROZEN:
            check(without_comments(path.read_text()))


@pytest.mark.parametrize(
    ("migration", "is_right"),
    [
        ("ALTER TABLE hold ADD COLUMN a text; ALTER TABLE hold ADD COLUMN b text;", True),
        ("ALTER TABLE hold ADD COLUMN a numeric(3, 2);", True),
        ("ALTER TABLE hold ADD COLUMN a text, ADD COLUMN b text;", False),
        ("ALTER TABLE hold ADD CONSTRAINT hold_check CHECK (a > 0 OR (b, c) = (1, 2));", True),
        ("ALTER TABLE hold ADD CHECK (a > 0);", False),
        ("ALTER TABLE hold ADD COLUMN a text CHECK (a <> '');", False),
        ("CREATE TABLE one (id bigint CONSTRAINT one_check CHECK (id > 0));", True),
        ("CREATE TABLE one (id bigint, CHECK (id > 0));", False),
    ],
)
def test_the_rules_for_migrations(migration: str, is_right: bool) -> None:  # noqa: FBT001  a table's column
    if is_right:
        check(migration)
    else:
        with pytest.raises(AssertionError):
            check(migration)


def check(migration: str) -> None:
    """Each ALTER has one subcommand, and each CHECK a name."""
    for statement in migration.split(";"):
        flat = statement
        while "(" in flat:
            flat, before = re.sub(r"\([^()]*\)", " ", flat), flat
            assert flat != before, "brackets in pairs"
        assert not re.match(r"\s*ALTER TABLE\b.*,", flat, re.DOTALL), "one subcommand"
        assert len(re.findall(r"(?<!WITH )\bCHECK\b", statement)) == len(
            re.findall(r"\bCONSTRAINT \w+\s+CHECK\b", statement)
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("receipt_pkey", 'duplicate key value violates unique constraint "receipt_pkey"'),
        ("receipt_pkey_102008", 'duplicate key value violates unique constraint "receipt_pkey_102008"'),
        (None, 'duplicate key value violates unique constraint "receipt_pkey_102008"'),
    ],
)
def test_a_twin_is_known_by_the_constraint_s_name_or_by_the_text(name: str | None, message: str) -> None:
    with pytest.raises(Conflict), translated():
        raise violation(name, message)


@pytest.mark.parametrize("name", ["account_pkey", None])
def test_another_constraint_is_a_fault(name: str | None) -> None:
    with pytest.raises(asyncpg.UniqueViolationError), translated():
        raise violation(name, 'duplicate key value violates unique constraint "account_pkey"')


def violation(name: str | None, message: str) -> asyncpg.UniqueViolationError:
    """As the driver makes it; the detail has what a caller has sent."""
    fields: Mapping[str, str | None] = {"message": message, "constraint_name": name, "detail": "Key (receipt_pkey)"}
    error = asyncpg.UniqueViolationError(message)
    for field, value in fields.items():
        setattr(error, field, value)
    return error
