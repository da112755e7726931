"""Where races are run: two workers over a PostgreSQL of their own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from koshel.db.verify import verify
from tests.support.outage import Postgres, own_postgres
from tests.support.racing import Racers, racers_of
from tests.support.service import Running, serving


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server of a file's own, for its log: nobody ever meets a deadlock."""
    with own_postgres(tmp_path_factory.mktemp("course")) as postgres:
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
