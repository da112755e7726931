"""Proof of the books from the rows alone: nothing here trusts what wrote them."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import psycopg
from msgspec import Struct
from psycopg.rows import dict_row

from koshel.db import queries
from koshel.db.patience import be_patient

LOCK_TIMEOUT_MS = 60_000

Row: TypeAlias = Mapping[str, Any]


class Proof(Struct, frozen=True):
    """What was looked at, in how many seconds, and what is wrong: a sentence each, none if the books are right."""

    right: bool
    wrong: list[str]
    accounts: int
    transactions: int
    batches: int
    seconds: float


def verify(url: str) -> list[str]:
    """What is wrong, a sentence each; empty if the books are right."""
    return prove(url).wrong


def prove(url: str) -> Proof:
    """The proof of all books, from one snapshot; it takes the time that it takes."""
    start = time.monotonic()
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        be_patient(connection, LOCK_TIMEOUT_MS, in_transaction=True)
        connection.execute(queries.load().plan_for_whole_tables)
        wrong = [sentence for statement, say in _checks() for sentence in _findings(connection, statement, say)]
        (counted,) = connection.execute(queries.load().count_proved)
    return Proof(right=not wrong, wrong=wrong, seconds=round(time.monotonic() - start, 3), **counted)


def _findings(connection: "psycopg.Connection[Row]", statement: str, say: Callable[[Row], str]) -> Iterator[str]:
    for row in connection.execute(statement):
        yield f"ledger {row['ledger_id']}: {say(row)}"


def _checks() -> list[tuple[str, Callable[[Row], str]]]:
    q = queries.load()
    return [
        (q.verify_currencies, _currency),
        (q.verify_accounts, _account),
        (q.verify_lines, _line),
        (q.verify_references, _reference),
        (q.verify_closed, _closed),
        (q.verify_held, _held),
        (q.verify_holds, _hold),
        (q.verify_endings, _ending),
        (q.verify_parents, _parent),
        (q.verify_refunds, _refunds),
        (q.verify_promises, _promise),
        (q.verify_receipts, _receipt),
        (q.verify_batches, _batch),
        (q.verify_groups, _group),
    ]


def _currency(row: Row) -> str:
    return (
        f"{row['currency']}: the balances add up to {row['balance']}, "
        f"but {row['paid_in']} came in and {row['paid_out']} went out"
    )


def _account(row: Row) -> str:
    return (
        f"account {row['id']} has balance {row['balance']} at version {row['version']}, "
        f"but its transactions say {row['told_balance']} at version {row['told_version']}"
    )


def _line(row: Row) -> str:
    left, told = str(row["balance"]), str(row["told_balance"])
    if row["held"] != row["told_held"]:
        left, told = f"{left}, {row['held']} of it held,", f"{told}, {row['told_held']} of it held,"
    return (
        f"transaction {row['id']} leaves account {row['account_id']} with {left} at version {row['version']}, "
        f"but those before it say {told} at version {row['told_version']}"
    )


def _reference(row: Row) -> str:
    return f"transaction {row['id']} names account {row['account_id']}, which does not exist"


def _closed(row: Row) -> str:
    return f"account {row['id']} is closed, but has balance {row['balance']}, {row['held']} of it held"


def _held(row: Row) -> str:
    return f"account {row['id']} has {row['held']} held, but its open holds reserve {row['reserved']}"


def _hold(row: Row) -> str:
    if row["rest"] is None:
        return f"{row['reserved']} is reserved for hold {row['id']}, which does not exist"
    if row["reserved"] is None:
        return f"hold {row['id']} is not open, but nothing has ended it"
    if str(row["reserved"]) != str(row["rest"]):  # to the last decimal
        return f"hold {row['id']} reserves {row['reserved']}, but {row['rest']} of it is left"
    return f"hold {row['id']} is open until {row['expires_at']}Z, but was placed until {row['told_expires_at']}Z"


def _ending(row: Row) -> str:
    one = f"{row['kind']} {row['id']} of hold {row['parent_id']}"
    if not row["is_covered"]:
        return f"{one} is of {row['amount']}, but {row['rest']} was left"
    return f"{one} is of {row['ctime']}Z, but the hold's time is up at {row['expires_at']}Z"


def _parent(row: Row) -> str:
    if row["parent_kind"] is None:
        return f"{row['kind']} {row['id']} follows transaction {row['parent_id']}, which does not exist"
    if not row["is_suitable"]:
        return f"{row['kind']} {row['id']} follows transaction {row['parent_id']}, which is a {row['parent_kind']}"
    return (
        f"{row['kind']} {row['id']} goes {_way(row['source_account_id'], row['target_account_id'])}, but follows "
        f"{row['parent_kind']} {row['parent_id']} "
        f"{_way(row['parent_source_account_id'], row['parent_target_account_id'])}"
    )


def _way(source_id: int | None, target_id: int | None) -> str:
    source, target = ("the outside" if one is None else f"account {one}" for one in (source_id, target_id))
    return f"from {source} to {target}"


def _refunds(row: Row) -> str:
    return f"the refunds of transaction {row['id']} add up to {row['refunded']}, but it is of {row['amount']}"


def _promise(row: Row) -> str:
    return f"transaction {row['id']} is {row['one']}, but {row['other']} too"


def _receipt(row: Row) -> str:
    key = row["idempotency_key"]
    if row["transaction_id"] is None:
        return f"transaction {row['id']} has key {key!r}, but there is no receipt for it"
    if row["is_promise"] and not row["is_there"]:
        return (
            f"the receipt of key {key!r} promises transaction {row['transaction_id']}, "
            "which is neither posted nor queued nor declined"
        )
    return f"the receipt of key {key!r} names transaction {row['transaction_id']}, which does not have that key"


def _batch(row: Row) -> str:
    if row["times"] is None:
        return f"transaction {row['id']} is in no batch"
    if row["times"] > 1:
        return f"transaction {row['id']} is in {row['times']} batches"
    return f"a batch names transaction {row['id']}, which does not exist"


def _group(row: Row) -> str:
    if row["batches"] > 1:
        return f"the transactions of group {row['id']} are in {row['batches']} batches"
    return f"the transactions of group {row['id']} have {row['times']} times"
