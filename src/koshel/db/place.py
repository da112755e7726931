"""Where the database is: the one that was named, or else the embedded one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from msgspec import Struct

from koshel.db import embedded, queries


class Place(Struct, frozen=True):
    """URLs of one database: as its owner, who migrates, and as the service, which may do less."""

    owner_url: str
    service_url: str
    service_role: str | None


@contextmanager
def database(url: str | None, data_dir: str, service_role: str | None) -> Iterator[Place]:
    """The database for as long as it is needed. Raises EmbeddedError."""
    if url is not None:
        yield Place(url, url, service_role)
        return
    with embedded.running(Path(data_dir)) as cluster:
        owner_url = cluster.url()
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(queries.load().create_service_role)
        yield Place(owner_url, cluster.url(embedded.SERVICE), embedded.SERVICE)
