"""Where a test's database is."""

from typing import NamedTuple


class Database(NamedTuple):
    """URLs of one database: as its owner, and as the service, which may do less."""

    owner_url: str
    service_url: str
