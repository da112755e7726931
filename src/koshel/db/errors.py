"""What can go wrong with the database, as the rest of Koshel sees it; the upper classes are in koshel.errors.

StoreError
├── Conflict                 another transaction came in between; settle again
│   └── NoPartition          no partition for the ids that were given; make it, and settle again
├── Unavailable
│   ├── Overloaded
│   │   └── Crowded          too many wait for a connection; nothing was done
│   ├── Obstructed           a lock took longer than its limit
│   └── DatabaseUnavailable  not reachable; nothing was done           } nobody's fault
└── OutcomeUnknown           a commit could not be confirmed or denied } in the batch
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import asyncpg

from koshel.errors import Conflict, Misuse, OutcomeUnknown, Overloaded, SchemaNotCurrent, StoreError, Unavailable
from koshel.telemetry.metrics import Cause

__all__ = [  # a room of db knows all of them from here
    "LACKS_RIGHT",
    "LOST",
    "MISUSES",
    "Away",
    "Conflict",
    "Crowded",
    "DatabaseUnavailable",
    "EmbeddedError",
    "HistoryArchived",
    "NoPartition",
    "Obstructed",
    "OutcomeUnknown",
    "StoreError",
    "Unfit",
    "cause_of",
    "connecting",
    "lacks_right",
    "translated",
]

LACKS_RIGHT = "42501"
# What a caller's connection may say that no waiting mends, by its SQLSTATE.
MISUSES = {
    "25006": "the transaction is read only",
    "25P01": "the connection is not in a transaction any more",
    "25P02": "the transaction has failed: roll it back, or to a savepoint",
    "3F000": "the connection's database has no tables of Koshel",
    "42P01": "the connection's database has no tables of Koshel",
    LACKS_RIGHT: "the role lacks a right; run `koshel migrate --service-role` for it, as the owner of the database",
}


class Obstructed(Unavailable):
    """A lock took longer than its limit, since somebody else holds a row: nothing was done."""


class NoPartition(Conflict):
    """The table of transactions has no partition for the ids that were given: nothing was done."""


class Crowded(Overloaded):
    """Too many wait for a connection, or one waited too long: nothing was done, and it can be asked again later."""


class DatabaseUnavailable(Unavailable):
    """The database is not reachable: nothing was done."""


class Unfit(Misuse):
    """The database, or its URL, cannot be used as it is. The message is one line, and says what mends it."""


class HistoryArchived(Exception):
    """Transactions that an answer needs are archived; those of one account, or of the whole ledger (None).

    `readable_since`: from this time on nothing is missing; None: there is no such time.
    """

    def __init__(self, account_id: int | None, readable_since: datetime | None) -> None:
        super().__init__(account_id, readable_since)
        self.account_id = account_id
        self.readable_since = readable_since


class EmbeddedError(Exception):
    """The embedded PostgreSQL could not be made, started or stopped."""


class Away(Exception):
    """The database is not there now, and may be later."""


# A connection that is gone, or a server that is going. Any of these during COMMIT says nothing
# about whether it happened.
LOST = (
    OSError,  # TimeoutError and every ConnectionError are among them
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # it stops, or restarts, or a statement took too long: so would its neighbours
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.PostgresSystemError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
)


_TWINS = ("receipt_pkey", "account_by_name")


def cause_of(conflict: Conflict) -> Cause:
    """What has got in the way, for the metrics."""
    match conflict.__cause__:
        case asyncpg.DeadlockDetectedError():
            return "deadlock"
        case asyncpg.SerializationError():
            return "serialization"
        case asyncpg.UniqueViolationError():
            return "twin"
        case None:
            return "commit-lost"
        case _:
            return "other"


@contextmanager
def translated() -> Iterator[None]:
    """Raise the driver's exceptions as Koshel's; what is not listed is a fault and stays as it is."""
    try:
        with _discreet(), _mendable():
            yield
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
        raise Conflict(str(error)) from error
    except asyncpg.UniqueViolationError as error:
        # On Citus the name goes on with a shard's number, or stands in the text only.
        if not any(name in (error.constraint_name or error.message or "") for name in _TWINS):
            raise
        # A twin with the same key and other accounts, or the same name, got there first; settled again, it is seen.
        raise Conflict(str(error)) from error
    except asyncpg.CheckViolationError as error:
        if error.constraint_name is not None or error.table_name != "transaction":
            raise
        raise NoPartition(str(error)) from error
    except asyncpg.LockNotAvailableError as error:
        raise Obstructed(str(error)) from error
    except LOST as error:
        if isinstance(error, ValueError):
            raise  # the driver could not encode an argument: a fault of the command, not of the connection
        raise DatabaseUnavailable(str(error) or type(error).__name__) from error


@contextmanager
def connecting() -> Iterator[None]:
    """For where a connection is made: whatever the server says there, none can be had now. Raises StoreError, Unfit.

    Servers and poolers have many codes for it, such as 55000 of a database that takes no connections, or XX000 of a
    pooler that is full. In the middle of a transaction the same codes may be a fault.
    """
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise lacks_right(error) from error
    except asyncpg.PostgresError as error:
        raise DatabaseUnavailable(str(error) or type(error).__name__) from error


def lacks_right(error: asyncpg.PostgresError) -> Unfit:
    """A role may not do what is asked of it, and no waiting mends that."""
    return Unfit(f"{MISUSES[LACKS_RIGHT]} ({error})")


@contextmanager
def _mendable() -> Iterator[None]:
    """Raise as Misuse what waits for the owner of the database: rights, and migrations."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise lacks_right(error) from error
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise SchemaNotCurrent(f"the schema lacks migrations; run `koshel migrate` ({error})") from error


@contextmanager
def _discreet() -> Iterator[None]:
    """Without the values that the server quotes of a row which it refuses: they are personal, and errors are logged."""
    try:
        yield
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
        error.detail = None
        raise
