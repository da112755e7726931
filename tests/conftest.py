"""A real PostgreSQL for the whole session, and a database of its own, cloned from a template, for each test."""

import itertools
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from coverage import Coverage

from koshel.db import queries
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting.migrate import migrate
from koshel.db.store import Store, StoreConfig, open_store
from koshel.line_writer import LineWriter
from tests.support import leaks
from tests.support.database import Database

TEMPLATE = "koshel_template"
TESTS = Path(__file__).parent
ALONE = "alone"
MEASURED = {"core", "batch", "library"}  # the rooms whose tests cover the core
MEMORY = Path("/dev/shm")  # noqa: S108  where Linux keeps files in memory; only a directory made for us is used
ROOM_MIN = 4 * 1024**3  # bytes
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes run tests, each file in one of them: first what is measured, last what needs the machine alone.

    The last ones look at a clock.
    """
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (groups[item] == ALONE, not _is_measured(item)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tracing ends with the first test that is not measured: it costs a third of the time or more."""
    if not _is_measured(item) and (tracing := Coverage.current()) is not None:
        tracing.stop()


def _group(item: pytest.Item) -> str:
    return ALONE if item.get_closest_marker("alone") else item.path.relative_to(TESTS).as_posix()


def _is_measured(item: pytest.Item) -> bool:
    """Whether what the test runs of the core counts as covered."""
    return item.path.relative_to(TESTS).parts[0] in MEASURED


@pytest.fixture(scope="session", autouse=True)
def watched() -> Iterator[None]:
    """All that is logged while tests run is looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", leaks.WatchedPopen)
        patch.setattr(LineWriter, "put", leaks.put)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test fails in the end if something was logged meanwhile that no log may hold."""
    report = yield
    if call.when == "teardown":
        for _, text in report.sections:
            leaks.WATCH.put(text)
        if found := leaks.WATCH.leaks():
            report.outcome, report.longrepr = "failed", "\n".join(["this was logged:", *found])
    return report


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The embedded PostgreSQL, with a migrated template database."""
    with _directory(tmp_path_factory) as directory, embedded.running(directory) as cluster:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute(queries.load().create_service_role)
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(cluster.url(database=TEMPLATE), service_role=embedded.SERVICE)
        yield cluster


@contextmanager
def _directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory if there is room: each test makes and drops a database, which on a disk takes a third of a second."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_MIN:
        with tempfile.TemporaryDirectory(prefix="koshel-tests-", dir=MEMORY, ignore_cleanup_errors=True) as directory:
            yield Path(directory) / "cluster"
    else:
        yield tmp_path_factory.mktemp("cluster")


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A migrated, empty database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        yield Database(owner_url=cluster.url(database=name), service_url=cluster.url(embedded.SERVICE, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    """A store on a fresh database, connected as the service's own role."""
    async with open_store(StoreConfig(database.service_url)) as store:
        yield store


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """The logger of OpenTelemetry, and when the test has ended it is as it was before."""
    library, urllib3 = logging.getLogger("opentelemetry"), logging.getLogger("urllib3")
    before = (library.handlers, library.propagate, urllib3.level)
    yield library
    library.handlers, library.propagate = before[:2]
    urllib3.setLevel(before[2])
