"""A PostgreSQL of a test's own, to be stopped, killed and started again."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from koshel.db import queries
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting.migrate import migrate
from tests.support.waiting import wait_until


class Postgres:
    """Open it with `own_postgres`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.owner_url = cluster.url()
        self.service_url = cluster.url(embedded.SERVICE)

    def start(self) -> None:
        """Return when it takes connections."""
        embedded.start(self.cluster)

    def stop(self) -> None:
        """In order."""
        embedded.stop(self.cluster)

    def kill_postmaster(self) -> None:
        """SIGKILL, and return when nobody listens any more."""
        kill_postmaster(self.cluster.directory)

    def kill_backend(self) -> None:
        """SIGKILL to one that settles; the postmaster then ends all of them, and recovers."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'koshel settle' LIMIT 1"
        with psycopg.connect(self.owner_url) as connection:
            [(pid,)] = connection.execute(query)
        os.kill(pid, signal.SIGKILL)


def kill_postmaster(directory: Path) -> None:
    """SIGKILL to the server of a cluster's directory, and return when nobody listens any more."""
    pid = int((directory / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not listens(directory), "the postmaster is gone")


def listens(directory: Path) -> bool:
    """Whether a server answers for this cluster."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(directory / ".s.PGSQL.5432")) == 0


@contextmanager
def own_postgres(directory: Path) -> Iterator[Postgres]:
    """A server with a migrated database, for as long as the block lasts."""
    with embedded.running(directory) as cluster:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute(queries.load().create_service_role)
        migrate(cluster.url(), service_role=embedded.SERVICE)
        yield Postgres(cluster)
