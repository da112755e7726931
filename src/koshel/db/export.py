"""The rows of a ledger as lines of JSON, for a file: from one snapshot, in the order of their ids.

COPY sends them while they are read, so that neither here nor in PostgreSQL memory grows with the ledger.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from msgspec import Struct

from koshel.db import namespace, queries
from koshel.db.patience import be_patient
from koshel.db.verifying.verify import connect

Buffer: TypeAlias = bytes | bytearray | memoryview

LOCK_TIMEOUT_MS = 60_000

# A line of JSON has neither of these two characters, so it comes as it is: nothing is quoted, nothing escaped.
_PLAIN = r"(FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"


class Exported(Struct, frozen=True):
    """What can be exported: its statement, and whose ids its rows have."""

    statement: str
    ids: str


KINDS = {
    "accounts": Exported("export_accounts", "account"),
    "transactions": Exported("export_transactions", "transaction"),
    "lines": Exported("export_lines", "transaction"),
}


class Export(Struct, frozen=True):
    """The export of one kind, under way: the ids between which its rows are, and the rows."""

    first: int
    last: int
    lines: Iterator[Buffer]  # with a line feed each, and at its beginning `{"id":7,` or another id
    count: Callable[[], int]  # of all lines, after the last


@contextmanager
def exported(url: str, ledger: str, kind: str, schema: str | None = None) -> Iterator[Export | None]:
    """The rows of one of the KINDS, read by the owner of the database; None if there is no such ledger."""
    connection = connect(url)
    try:
        be_patient(connection, LOCK_TIMEOUT_MS, in_transaction=True)
        q = queries.load(namespace.of_owner(connection, schema))
        connection.execute(q.plan_for_export)
        found = connection.execute(q.find_ledger, (ledger,)).fetchone()
        if found is None:
            yield None
            return
        ids = connection.execute(q.read_first_and_last, (found["id"],)).fetchone()
        assert ids is not None, "it has no condition"
        wanted = KINDS[kind]
        first, last = ids[f"first_{wanted.ids}"] or 0, ids[f"last_{wanted.ids}"] or 0
        cursor = connection.cursor()
        with cursor.copy(_copy(getattr(q, wanted.statement), found["id"])) as copy:
            yield Export(first, last, iter(copy), lambda: cursor.rowcount)
    except BaseException:
        connection.cancel_safe()
        raise
    finally:
        connection.close()


def _copy(statement: str, ledger_id: int) -> bytes:
    # COPY takes no parameters, so the ledger's id, an integer, stands in its text.
    return f"COPY ({statement.rstrip(';').replace('$1', str(int(ledger_id)))}) TO STDOUT {_PLAIN}".encode()
