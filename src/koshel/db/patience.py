"""How long the long work of an owner may take: as long as it takes, though it never waits for a lock without end.

A role's own time limits are meant for the short statements of a service.
"""

from typing import Any

import psycopg

from koshel.db import queries


def be_patient(connection: "psycopg.Connection[Any]", lock_timeout_ms: int, *, in_transaction: bool) -> None:
    """Lift the time limits of the session, or of the transaction that is open; wait for each lock so long at most."""
    cursor = psycopg.RawCursor(connection)
    # First, and alone: it may be so short that the next statement would not end within it.
    cursor.execute(queries.load().lift_statement_timeout, (in_transaction,))
    cursor.execute(queries.load().lift_time_limits, (str(lock_timeout_ms), in_transaction))
