"""The columns of the tables, each said once.

The arrays of what is written, and what is read of a row, follow from this; a test compares it with the schema, with the
lists in `queries.sql`, with the answers over HTTP and with what `koshel verify` proves. So a column that one of them
forgets fails a test.
"""

from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from koshel.core.labelled import LABELS


class Mostly(Enum):
    """What a column nearly always has, which decides how an array of it is made. It changes nothing of what is kept."""

    DIFFERENT = "each row its own value"
    SAME = "the same value in all rows of a batch"
    NULL = "nothing, or what is as good as nothing: no metadata, a zero held"
    ONE = "never anything but one value for all rows of a batch, which is no array then"


class Column(Struct, frozen=True):
    """One column."""

    name: str  # in the table, in every statement, and in an answer over HTTP
    sql: str  # its type in the table
    at: str = ""  # where an outcome has it: `source.balance` is the balance of its source
    mostly: Mostly = Mostly.DIFFERENT
    changes: bool = False  # of a row that is there already
    shown: bool = False  # in an answer over HTTP
    is_plain: bool = False  # though mostly nothing: `post_plain` is told of it too

    @property
    def side(self) -> str:
        """`source` or `target`, if it is a transaction's and says something of that side."""
        return self.at.partition(".")[0] if self.at.startswith(("source.", "target.")) else ""

    @property
    def attribute(self) -> str:
        """The last part of where an outcome has it."""
        return self.at.rpartition(".")[2]


Columns: TypeAlias = Sequence[Column]


def _side(side: str) -> Columns:
    return (
        Column(f"{side}_account_id", "bigint", f"{side}.account_id", shown=True),
        Column(f"{side}_balance", "numeric", f"{side}.balance"),
        Column(f"{side}_held", "numeric", f"{side}.held", Mostly.NULL),
        Column(f"{side}_version", "bigint", f"{side}.version"),
    )


_LABEL_TYPES = {"metadata": "jsonb", "effective_on": "date"}  # of those that are no text

TRANSACTION: Columns = (
    Column("ledger_id", "bigint", "ledger_id", Mostly.SAME),
    # Only what was queued has one before it is written.
    Column("id", "bigint", "id", Mostly.NULL, shown=True, is_plain=True),
    Column("kind", "text", "kind", Mostly.SAME, shown=True),
    *_side("source"),
    *_side("target"),
    Column("amount", "numeric", "amount", shown=True),
    Column("parent_id", "bigint", "parent_id", Mostly.NULL, shown=True),
    Column("group_id", "bigint", "group_id", Mostly.NULL, shown=True, is_plain=True),
    Column("idempotency_key", "text", "key", Mostly.NULL, shown=True),
    *(Column(label, _LABEL_TYPES.get(label, "text"), label, Mostly.NULL, shown=True) for label in LABELS),
    Column("expires_at", "timestamptz", "expires_at", Mostly.NULL, shown=True),
    Column("capture_at", "timestamptz", "capture_at", Mostly.NULL, shown=True),
    Column("ctime", "timestamptz", "ctime", Mostly.ONE, shown=True),
)

ACCOUNT: Columns = (
    Column("ledger_id", "bigint", "account.ledger_id", Mostly.SAME),
    Column("id", "bigint", "account.id", shown=True),
    Column("email", "text", "account.email", changes=True, shown=True),
    Column("currency", "text", "account.currency", Mostly.SAME, shown=True),
    Column("scale", "smallint", "account.scale", Mostly.SAME),
    Column("balance", "numeric", "account.balance", changes=True, shown=True),
    Column("held", "numeric", "account.held", changes=True, shown=True),
    Column("version", "bigint", "account.version", changes=True, shown=True),
    Column("revision", "bigint", "account.revision", changes=True),
    Column("min_balance", "numeric", "account.min_balance", changes=True, shown=True),
    Column("max_balance", "numeric", "account.max_balance", changes=True, shown=True),
    Column("status", "text", "account.status", Mostly.SAME, changes=True, shown=True),
    Column("metadata", "jsonb", "account.metadata", changes=True, shown=True),
    Column("idempotency_key", "text", "command.key"),
    Column("name", "text", "account.name", Mostly.NULL, shown=True),
    Column("ctime", "timestamptz", "account.ctime", Mostly.ONE, shown=True),
    Column("limits", "jsonb", "account.limits", Mostly.NULL, changes=True, shown=True),
)

TRANSACTION_CHANGE: Columns = (
    Column("ledger_id", "bigint", "transaction.ledger_id", Mostly.SAME),
    Column("transaction_id", "bigint", "transaction.id"),
    Column("revision", "bigint", "revision"),
    Column("metadata", "jsonb", "transaction.metadata"),
    Column("description", "text", "transaction.description", Mostly.NULL),
    Column("idempotency_key", "text", "command.key", Mostly.NULL),
    Column("ctime", "timestamptz", "ctime", Mostly.ONE),
)

ACCOUNT_CHANGE: Columns = (
    Column("ledger_id", "bigint", "account.ledger_id", Mostly.SAME),
    Column("account_id", "bigint", "account.id"),
    Column("revision", "bigint", "account.revision"),
    *(column for column in ACCOUNT if column.name in {"email", "min_balance", "max_balance", "status", "metadata"}),
    Column("limits", "jsonb", "account.limits", Mostly.NULL),
    Column("idempotency_key", "text", "command.key"),
    Column("is_found", "boolean", mostly=Mostly.ONE),  # written by a migration only
    Column("ctime", "timestamptz", mostly=Mostly.ONE),
)

RECEIPT: Columns = (
    Column("ledger_id", "bigint", mostly=Mostly.SAME),
    Column("idempotency_key", "text"),
    Column("answer", "jsonb"),
    Column("transaction_id", "bigint"),
    Column("request", "jsonb"),
)

EXCHANGE: Columns = (
    Column("ledger_id", "bigint", mostly=Mostly.SAME),
    Column("source_transaction_id", "bigint"),
    Column("target_transaction_id", "bigint"),
    Column("rate", "numeric"),
)

QUEUED: Columns = (
    Column("ledger_id", "bigint", mostly=Mostly.SAME),
    Column("id", "bigint"),
    Column("promise", "jsonb"),
    Column("due", "timestamptz", changes=True),
    Column("execute_at", "timestamptz", mostly=Mostly.NULL),
    Column("attempts", "integer", changes=True),
    Column("error", "text", changes=True),
    Column("ctime", "timestamptz", mostly=Mostly.ONE),
)

SPLIT: Columns = (
    Column("ledger_id", "bigint", mostly=Mostly.SAME),
    Column("id", "bigint"),
    Column("amount", "numeric"),
    Column("transaction_ids", "bigint[]"),
)

DECLINED: Columns = (
    *QUEUED[:3],
    Column("answer", "jsonb"),
    Column("ctime", "timestamptz", mostly=Mostly.ONE),
)

CANCELLED: Columns = (
    *QUEUED[:3],
    Column("request_id", "text"),
    Column("ctime", "timestamptz", mostly=Mostly.ONE),
)
