"""Where a service stands with its database: which one it is, as whom, and how many may connect."""

import structlog
from msgspec import Struct

from koshel.db.starting.proof import Inspected
from koshel.db.url import Target, place

CONNECTIONS_MIN = 2  # of a worker: one to settle, one to read

_log = structlog.get_logger()


class TooFewConnections(Exception):
    """The service could not work with so few; the message says which settings to change."""


class Wanted(Struct, frozen=True):
    """The connections that the service may open."""

    workers: int
    connections: int  # of all workers together, at most
    said_by: str  # the settings, with their values


def say_which(found: Inspected, target: Target) -> None:
    """Which database it is, and as whom: a misspelt variable shows here."""
    _log.info("this is the database", at=place(target), database=found.database, role=found.role, version=found.version)
    if found.unknown:
        _log.warning("the schema is newer than this version of Koshel", unknown=found.unknown)


def check_connections(found: Inspected, wanted: Wanted) -> None:
    """Warn if the workers may open more than there is room for. Raises TooFewConnections if they could not work."""
    if wanted.connections <= found.room:
        return
    said = (
        f"the workers may open {wanted.connections} connections, and {found.role} has room for {found.room}: "
        f"raise PostgreSQL's max_connections, or lower one of {wanted.said_by}"
    )
    if wanted.workers * CONNECTIONS_MIN > found.room:
        raise TooFewConnections(said)
    _log.warning(said)
