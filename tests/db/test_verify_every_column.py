"""Single changes of what is in the database, of every column and of every value within JSON: which are found.

What is not found is here, by name, with the reason; and what is here is not found, or it has no place here any more.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from koshel.core.labelled import LABELS
from koshel.db.server.embedded import Cluster
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying import verify
from tests.support.changes import changes_cleared, columns, is_found
from tests.support.clone import cloned
from tests.support.every_kind import keep_every_kind

TABLES = (
    *("account", "account_change", "batch", "cancelled", "currency", "declined", "hold", "ledger", "queued", "receipt"),
    *("exchange", "split", "transaction", "transaction_change", "turnover"),
)

TEXTS = [name for name in LABELS if name != "metadata"]
# Until there is a sealed journal, nothing else says ...
UNPROVED = {
    "... in which ledger a batch was that has no transactions": {"batch.ledger_id"},
    "... in which currency an account is that has no transfers, and the name of one that was opened without a key": {
        "account.currency",
        "account.name",
    },
    "... what an account was like before its last change, if it was opened or changed then without a key": {
        *(f"account_change.{name}" for name in ("email", "max_balance", "min_balance", "status")),
        *(f"account_change.{name}" for name in ("limits", "metadata", "metadata::of")),
        *(f"account_change.limits::*/{name}" for name in ("in", "out", "per")),
    },
    "... that the opening of an account without a name says that it had no id yet": {
        "receipt.answer:opened:command/id"
    },
    "... whether an account was asked for by its name": {
        "receipt.request",  # of a transfer: without it, it was by ids
        "receipt.request:move:target",
        *{
            f"receipt.answer:grouped:members/*/outcome/{what}/{side}"
            for what in ("command", "request", "first/command")
            for side in ("source", "target")
        },
        *(f"receipt.answer:split:command/{name}" for name in ("source", "target")),
        *(f"receipt.answer:split:command/{name}s/*/{name}" for name in ("source", "target")),
        "receipt.answer:grouped:exchange/target",
    },
    "... how long holds lasted by default when a split was asked for again": {
        f"receipt.answer:grouped:members/*/{what}/default_expires_in" for what in ("command", "outcome/first/command")
    },
    "... what the accounts of a queued transaction were called": {
        f"{what}:queued:{side}"
        for what in ("cancelled.promise", "declined.promise", "queued.promise", "receipt.answer")
        for side in ("source", "target")
    },
    "... when it was, beyond what came before and after it": {
        "account_change.ctime",
        "currency.ctime",
        "cancelled.ctime",
        "cancelled.promise:queued:ctime",
        "declined.ctime",
        "declined.promise:queued:ctime",
        "ledger.ctime",
        "receipt.answer:queued:ctime",
        "transaction.ctime",  # of one that is alone in its batch
        "transaction_change.ctime",  # of one without a key
    },
    "... whether a rate was given for an exchange, or the amount that it comes to": {"exchange.rate"},
    "... until when a hold was placed that has ended and had no key": {"transaction.expires_at"},
    "... when a hold was to be captured by itself: that may have been put off": {
        "hold.capture_at",
        "transaction.capture_at",  # of one without a key
    },
    "... by which request something was cancelled": {"cancelled.request_id"},
    "... that a lone transaction was no group": {"transaction.group_id"},
    "... what was said of a plain transaction": {
        *(f"transaction.{name}" for name in LABELS),
        "transaction.metadata::note",
    },
    "... what a change of notes without a key has said": {"transaction_change.description"},
    "... what a ledger is called": {"ledger.name"},
    "... which batch it was, in which order, whether it was a fence, and of which version": {
        "batch.id",
        "batch.rules",
        "batch.transaction_ids",
    },
    "... that the revision, which 0.1 did not write, was written": {"receipt.answer:opened:account/revision"},
    "... when the turnover of an account was counted last": {"turnover.counted_at"},
    "... what is to become of a queued transaction": {"queued.attempts", "queued.due", "queued.error"},
    "... that a posted plain transaction was enqueued": {"receipt.answer"},
    "... what was enqueued without a key, and is not known of the request": {
        *(f"cancelled.promise:queued:command/command/{name}" for name in ("metadata", "reference", "description")),
        "cancelled.promise:queued:command/execute_at",
        "cancelled.promise:queued:currency",
        "declined.promise:queued:currency",
        *(f"queued.promise:queued:command/command/{name}" for name in ("metadata", "reference", "description")),
        "queued.promise:queued:currency",
    },
    "... whether an answer says that there is nothing, or says nothing of it: both are read alike": {
        f"receipt.answer:grouped:members/*/outcome/{name}"
        for name in [
            "capture_at",
            "first/capture_at",
            "cause",
            "expires_at",
            "group_id",
            "parent_id",
            *(f"{part}{name}" for part in ("", "command/", "first/", "request/", "first/command/") for name in TEXTS),
            *(f"first/{name}" for name in ("expires_at", "group_id", "parent_id", "request", "exchange/type")),
            *("command/key", "command/metadata", "request/final", "request/key", "request/metadata", "exchange/type"),
            "command/sources",
            "command/target_account_id",
            "command/type",
            "first/command/metadata",
            "first/command/source_account_id",
            "first/command/sources",
            "first/command/target_account_id",
            "first/command/type",
        ]
    },
    "... which part each leg of a queued split was to have": {
        f"receipt.answer:queued:command/command/targets/*/{name}"
        for name in ("amount", "remaining", "share", "target_account_id")
    },
    "... what the target of a queued exchange was to get": {
        *(f"receipt.answer:queued:command/command/{name}" for name in ("rate", "target", "target_amount")),
    },
    "... through which exchange accounts it was not done": {"declined.answer:declined:command/exchange_accounts/*/*"},
    "... what a source of a split could have given besides": {"receipt.answer:split:command/sources/*/max"},
    "... how an account stood that refused something": {
        f"{column}/{name}"
        for column, names in {
            "declined.answer:declined:facts": "account_id available currency missing required transaction_id",
            "receipt.answer:declined:facts": "account_id available currency field name required transaction_id",
            "receipt.answer:declined:cause/facts": "account_id available currency name required status transaction_id",
            "declined.answer:declined:cause/facts": "status transaction_id",
            "receipt.answer:grouped:members/*/outcome/facts": "amount currency field refunded required transaction_id",
        }.items()
        for name in names.split()
    },
    "... what was asked for, and refused": {
        "receipt.answer:declined:command/amount",
        "receipt.answer:declined:command/atomic",
        *(f"receipt.answer:declined:command/{name}" for name in ("metadata", "reference", "description")),
        "receipt.answer:declined:command/source_account_id",
        "receipt.answer:declined:command/source",
        "receipt.answer:declined:command/target",
        "receipt.answer:declined:command/target_account_id",
        "receipt.answer:declined:command/default_expires_in",
        *(f"receipt.answer:declined:command/targets/*/{name}" for name in ("amount", "remaining", "share")),
        "receipt.answer:declined:command/targets/*/target_account_id",
        "receipt.answer:declined:command/transaction_id",
    },
    "... which default it would have been, had it been needed": {
        "receipt.answer:opened:command/currency",  # left out, which comes to the same
        "receipt.answer:opened:command/default_currency",
        "receipt.answer:opened:command/default_max_balance",
        "receipt.answer:opened:command/max_balance",  # none, which was the default too
        "cancelled.promise:queued:command/schedule_max_s",
        "queued.promise:queued:command/schedule_max_s",
        "receipt.answer:queued:command/command/default_expires_in",
        "receipt.request:hold:default_expires_in",
        "receipt.answer:split:command/default_expires_in",
        "receipt.answer:grouped:exchange/default_min_balance",
        "receipt.answer:grouped:members/*/outcome/first/exchange/default_min_balance",
        "receipt.answer:grouped:members/*/command/default_min_balance",  # of one that was asked for again
        "receipt.answer:grouped:members/*/command/exchange_accounts/*/*",  # likewise
        "receipt.answer:queued:command/command/default_min_balance",
    },
    "... that a change was of what it left as it was": {
        "receipt.answer:changed:command/email",
        "receipt.answer:changed:command/max_balance",
        "receipt.answer:changed:command/min_balance",
        "receipt.answer:changed:command/status",
    },
    "... that a change of notes was of what it left as it was, or removed what was not there": {
        "receipt.answer:annotated:command/description",
        "receipt.answer:annotated:command/metadata_patch/more",
        "receipt.answer:annotated:command/metadata_patch/note",
    },
    "... what a hold reserved when its notes were changed": {"receipt.answer:annotated:remaining"},
    "... whether a capture of all that was left was to be the final one": {
        "receipt.answer:queued:command/command/final",
    },
    "... what a hold reserved after a member of a group": {
        "receipt.answer:grouped:members/*/outcome/rest",
        "receipt.answer:grouped:members/*/outcome/first/rest",
    },
}


@pytest.fixture(scope="module")
def every_kind(cluster: Cluster) -> Iterator[str]:
    """The owner's URL of books with every kind of everything."""
    with cloned(cluster, "test_verify_every_column") as database:

        async def keep() -> None:
            async with open_store(StoreConfig(database.service_url)) as store:
                await keep_every_kind(store, database)

        asyncio.run(keep())
        yield database.owner_url


def test_books_with_every_kind_are_right_and_leave_no_column_empty(every_kind: str) -> None:
    assert verify.verify(every_kind) == []
    with psycopg.connect(every_kind) as connection:
        for table, column, _ in columns(connection):
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL".encode()).fetchone()
            assert found != (0,), f"{table}.{column}"
        kinds = {kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM transaction")}
    assert kinds == {"payment", "withdrawal", "transfer", "hold", "capture", "void", "expiry", "refund"}


def test_every_table_is_looked_at(every_kind: str) -> None:
    with psycopg.connect(every_kind) as connection:
        assert {table for table, _, _ in columns(connection)} == set(TABLES)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("table", TABLES)
def test_a_change_is_found_or_is_listed_with_the_reason(every_kind: str, table: str) -> None:
    """A change that the database itself refuses is found too."""
    unfound: Counter[str] = Counter()
    tried = 0
    with psycopg.connect(every_kind, autocommit=True) as reading, verify.connect(every_kind) as connection:
        connection.read_only = False
        checks = verify._checks(connection, verify._queries(connection, None))
        for change in changes_cleared(reading, table, connection):
            if unfound[change.what]:  # once is enough
                continue
            connection.execute("SAVEPOINT before")
            try:
                is_changed = connection.execute(change.statement).rowcount == 1
            except psycopg.errors.IntegrityError:
                is_changed = False
            else:
                tried += is_changed
                unfound[change.what] += is_changed and not is_found(connection, checks)
            connection.execute("ROLLBACK TO before")
        connection.rollback()
    listed = {what for names in UNPROVED.values() for what in names if what.startswith(f"{table}.")}
    assert tried
    assert {what for what, times in unfound.items() if times} ^ listed == set()
