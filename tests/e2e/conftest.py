"""Where many clients meet: two workers over a PostgreSQL of their own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from koshel.db.verifying.verify import verify
from tests.support.clients import Clients, clients_of
from tests.support.outage import Postgres, own_postgres
from tests.support.racing import Racers, racers_of
from tests.support.service import Running, serving


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server of a file's own; at the end the books are right."""
    with own_postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres
        assert verify(postgres.owner_url) == []


@pytest.fixture(scope="module")
def service(postgres: Postgres) -> Iterator[Running]:
    """Two workers."""
    with serving(postgres.service_url, workers="2") as service:
        yield service


@pytest.fixture
async def clients(service: Running) -> AsyncIterator[Clients]:
    """Who ask it."""
    async with clients_of(service.url) as clients:
        yield clients


@pytest.fixture(scope="module")
def course(postgres: Postgres) -> Iterator[Postgres]:
    """The server, by whose log nobody ever meets a deadlock."""
    yield postgres
    assert "deadlock detected" not in (postgres.cluster.directory / "server.log").read_text()


@pytest.fixture(scope="module")
def arena(course: Postgres) -> Iterator[Running]:
    """Two workers who look for what is due all the time."""
    with serving(course.service_url, workers="2", background_poll_ms="10") as service:
        yield service


@pytest.fixture
async def racers(arena: Running, course: Postgres) -> AsyncIterator[Racers]:
    """At the end of each race the books are right."""
    async with racers_of(arena.url) as racers:
        yield racers
    assert verify(course.owner_url) == []
