"""Every statement: in its place, named once, understood by the server, and about one ledger or saying why not."""

import re
from pathlib import Path

import asyncpg
import psycopg
import pytest
from msgspec import structs

import koshel
from koshel.db import queries
from koshel.db.queries import Queries, parse
from tests.support.database import Database

SOURCE = Path(koshel.__file__).parent
TEXT = (SOURCE / "db" / "queries.sql").read_text()
NAMES = [field.name for field in structs.fields(Queries)]
# What the owner runs; the service runs all the others.
PROOFS = [name for name in NAMES if name.startswith(("verify_", "survey_", "read_receipts", "read_queued"))]
OWNERS = {
    *PROOFS,
    "count_proved",
    "find_states",
    "find_changes_of_notes",
    "find_changes_of_accounts",
    "lock_migrations",
    "create_service_role",
    "add_currency",
    "list_currencies",
    "grant_service",
    "lock_tables",
    "find_policies",
    "secure_rows",
    "find_unfit_reader",
    "grant_ledger",
    "revoke_ledger",
    "list_ledgers",
    "find_ledger_of_api_key",
    "find_ledger_of_account",
    "plan_for_export",
    "read_first_and_last",
    "export_accounts",
    "export_transactions",
    "export_lines",
}
READS = [
    "lock_accounts",
    "read_accounts",
    "read_clock",
    "find_names",
    "find_originals",
    "find_members",
    "find_pending",
    "find_holds",
    "find_refunded",
    "find_notes",
    "find_details",
    "find_shown",
    "find_receipts",
    "find_scales",
    "find_batch",
    "get_account",
    "get_account_named",
    "get_transaction",
    "list_account_changes",
    "list_transaction_changes",
    "get_queued",
    "find_due",
    "claim_queued",
    "claim_one_queued",
    "claim_holds",
    "claim_one_hold",
    "measure_queue",
    "measure_background",
    "applied_migrations",
]
SAY_SOMETHING = {"read_clock", "measure_queue", "measure_background", "applied_migrations"}  # on an empty database too
UTILITY = {"create_service_role", "roll_back_to_savepoint"}  # a DO block, and two in one: neither can be prepared

# How a statement keeps to its ledger: it compares the column, or gives each row it inserts its own.
FILTER = re.compile(r"ledger_id\s*=|INSERT INTO \w+ \(\s*ledger_id\b")


def without_comments(statement: str) -> str:
    return re.sub(r"--.*", "", statement)


def comment_of(statement: str) -> str:
    return " ".join(re.findall(r"--(.*)", statement))


def test_the_file_holds_the_statements_that_the_code_names_in_the_same_order() -> None:
    assert re.findall(r"^-- name: (\w+)$", TEXT, re.MULTILINE) == NAMES
    assert all(without_comments(statement).strip() for statement in structs.astuple(queries.load()))


def test_the_statements_of_a_schema_are_made_once_however_it_is_named() -> None:
    assert queries.load() is queries.load(queries.SCHEMA) is queries.load(schema=queries.SCHEMA)


def test_a_missing_name_fails() -> None:
    with pytest.raises(TypeError, match="get_account"):
        parse(TEXT.replace("-- name: get_account\n", ""))


def test_an_extra_name_fails() -> None:
    with pytest.raises(TypeError, match="get_everything"):
        parse(TEXT + "\n-- name: get_everything\nSELECT 1;\n")


def test_a_doubled_name_fails() -> None:
    with pytest.raises(TypeError, match=r"twice: \['get_account'\]"):
        parse(TEXT + "\n-- name: get_account\nSELECT 1;\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_keeps_to_its_ledger_or_says_why_not(name: str) -> None:
    statement = getattr(parse(TEXT), name)
    assert comment_of(statement), "each statement has a sentence on why it is so"
    assert FILTER.search(without_comments(statement)) or "ledger" in comment_of(statement)


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_of_the_whole_database_says_so(name: str) -> None:
    assert "Reads all ledgers" in comment_of(getattr(queries.load(), name))


async def test_the_server_understands_every_statement_under_the_role_that_sends_it(database: Database) -> None:
    service = await asyncpg.connect(database.service_url)
    owner = await asyncpg.connect(database.owner_url)
    try:
        for connection in (service, owner):
            await connection.execute("SET search_path = ''")  # each says itself where its tables are
        for name in NAMES:
            statement = getattr(queries.load(), name)
            if name in UTILITY:
                await owner.execute(f"BEGIN; {queries.load().set_savepoint} {statement}; COMMIT")
            else:
                await (owner if name in OWNERS else service).prepare(statement)
    finally:
        await service.close()
        await owner.close()


def test_what_the_service_reads_it_may_read(database: Database) -> None:
    with psycopg.connect(database.service_url) as connection:
        for name in READS:
            statement = re.sub(r"\$\d+", "NULL", without_comments(getattr(queries.load(), name)))
            assert bool(connection.execute(statement.encode()).fetchall()) == (name in SAY_SOMETHING), name
