"""A database of its own for a whole module, where a fresh one for each test would take too long."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from tests.conftest import TEMPLATE
from tests.support.database import Database


@contextmanager
def cloned(cluster: Cluster, name: str) -> Iterator[Database]:
    """A migrated, empty database, dropped at the end."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY".encode())
        yield Database(owner_url=cluster.url(database=name), service_url=cluster.url(embedded.SERVICE, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
