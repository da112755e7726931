"""A real PostgreSQL for the whole session, and a database of its own, cloned from a template, for each test."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from koshel.db import embedded, queries
from koshel.db.embedded import Cluster
from koshel.db.migrate import migrate
from koshel.db.store import Store, StoreConfig, open_store
from tests.support.database import Database

TEMPLATE = "koshel_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The embedded PostgreSQL, with a migrated template database."""
    with embedded.running(tmp_path_factory.mktemp("cluster")) as cluster:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute(queries.load().create_service_role)
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(cluster.url(database=TEMPLATE), service_role=embedded.SERVICE)
        yield cluster


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A migrated, empty database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield Database(owner_url=cluster.url(database=name), service_url=cluster.url(embedded.SERVICE, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    """A store on a fresh database, connected as the service's own role."""
    async with open_store(StoreConfig(database.service_url)) as store:
        yield store
