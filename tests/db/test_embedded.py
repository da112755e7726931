"""The PostgreSQL that comes with the package: durable, private, and whole again after any kill."""

import asyncio
import os
import shutil
import signal
import stat
import time
from pathlib import Path

import psycopg
import pytest

from koshel.db.errors import DatabaseUnavailable, EmbeddedError
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.server.upkeep import kept_up
from koshel.db.starting.databases import database
from koshel.db.starting.migrate import migrate
from koshel.db.store import StoreConfig, open_store
from tests.support.bookkeeping import execute
from tests.support.server_user import another_user
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose cluster is made and stopped; each test leaves it so."""
    directory = tmp_path_factory.mktemp("data")
    with embedded.running(directory) as cluster:
        execute(cluster.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
    return directory


def value(cluster: Cluster, query: str) -> object:
    with psycopg.connect(cluster.url()) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def is_kept(cluster: Cluster) -> bool:
    try:
        return value(cluster, "SELECT answer FROM kept") == 42
    except psycopg.OperationalError:
        return False


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def is_up(data_dir: Path) -> bool:
    return (data_dir / "postgres" / "postmaster.pid").exists()


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("the process lives on")


def test_what_was_written_is_there_after_a_restart(data_dir: Path) -> None:
    assert not is_up(data_dir)
    with embedded.running(data_dir) as cluster:
        assert value(cluster, "SELECT answer FROM kept") == 42
    assert not is_up(data_dir)


def test_a_killed_server_recovers_when_it_is_needed_again(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        execute(cluster.url(), "UPDATE kept SET answer = 43")
        os.kill(postmaster(data_dir), signal.SIGKILL)
    with embedded.running(data_dir) as cluster:
        execute(cluster.url(), "UPDATE kept SET answer = answer - 1")
        assert value(cluster, "SELECT answer FROM kept") == 42


def test_a_server_killed_under_its_users_can_be_started_again_by_them(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        pid = postmaster(data_dir)
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)
        embedded.start(cluster)
        embedded.start(cluster)  # it runs: nothing to do
        assert value(cluster, "SELECT answer FROM kept") == 42
    assert not is_up(data_dir)


async def test_a_store_outlives_its_server(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        migrate(cluster.url())
        async with open_store(StoreConfig(cluster.url())) as store:
            assert await store.get_account(1, 1) is None
            await asyncio.to_thread(embedded.stop, cluster)
            with pytest.raises(DatabaseUnavailable):
                await store.get_account(1, 1)
            await asyncio.to_thread(embedded.start, cluster)
            assert await store.get_account(1, 1) is None


def test_the_last_user_stops_the_server_and_an_earlier_one_does_not(data_dir: Path) -> None:
    with another_user(data_dir):
        with embedded.running(data_dir) as cluster:
            pass
        assert value(cluster, "SELECT 1") == 1
    assert not is_up(data_dir)


def test_a_user_that_was_killed_does_not_keep_the_server_up(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        with another_user(data_dir) as process:
            process.kill()
        assert value(cluster, "SELECT 1") == 1
    assert not is_up(data_dir)


def test_a_child_that_leaves_does_not_stop_its_parents_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    using = embedded.running(data_dir)
    cluster = using.__enter__()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)  # as a forked worker sees it
        using.__exit__(None, None, None)
    assert value(cluster, "SELECT 1") == 1
    with embedded.running(data_dir):
        pass
    assert not is_up(data_dir)


def test_a_cluster_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.half" / "base").mkdir(parents=True)
    (tmp_path / "postgres.half" / "PG_VERSION").write_text("18\n")
    with embedded.running(tmp_path) as cluster:
        assert value(cluster, "SELECT 1") == 1
    assert not (tmp_path / "postgres.half").exists()


def test_a_data_directory_may_have_any_name(data_dir: Path, tmp_path: Path) -> None:
    for name in ("long" * 40, "a b", "it's, odd; 100%", "кошель"):
        moved = data_dir.rename(tmp_path / name)
        try:
            with embedded.running(moved) as cluster:
                assert value(cluster, "SELECT 1") == 1
                assert stat.S_IMODE(cluster.sockets.stat().st_mode) == 0o700
            shutil.rmtree(cluster.sockets)
        finally:
            moved.rename(data_dir)


def test_a_socket_directory_that_others_could_enter_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 40) / "postgres"
    directory.mkdir(parents=True)
    sockets = embedded._socket_directory(directory, None)
    sockets.chmod(0o755)
    with pytest.raises(EmbeddedError, match="closed to others"):
        embedded._socket_directory(directory, None)
    sockets.rmdir()
    sockets.symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match="closed to others"):
        embedded._socket_directory(directory, None)
    sockets.unlink()


def test_the_server_cannot_be_reached_from_outside(cluster: Cluster) -> None:
    assert value(cluster, "SHOW listen_addresses") == ""
    assert value(cluster, "SELECT inet_server_port() IS NULL") is True
    assert stat.S_IMODE(cluster.sockets.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_what_was_acknowledged_is_on_disk(cluster: Cluster, name: str) -> None:
    assert value(cluster, f"SHOW {name}") == "on"


def test_a_server_that_cannot_start_says_where_its_log_is(data_dir: Path) -> None:
    (data_dir / "postgres" / "global").rename(data_dir / "lost")
    try:
        with pytest.raises(EmbeddedError, match=r"The log is .*server\.log"), embedded.running(data_dir):
            pass
    finally:
        (data_dir / "lost").rename(data_dir / "postgres" / "global")


def test_a_server_that_was_killed_is_started_again_while_it_is_kept_up(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster, kept_up(cluster):
        for _ in range(2):
            pid = postmaster(data_dir)
            os.kill(pid, signal.SIGKILL)
            wait_until_gone(pid)
            wait_until(lambda: is_kept(cluster), "what was written is there again")
    assert not is_up(data_dir)


def test_nobody_starts_a_server_that_is_no_longer_wanted(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        embedded.stop(cluster)
        embedded.start_again(cluster, unless=lambda: True)
        assert not is_up(data_dir)
        embedded.start_again(cluster, unless=lambda: False)
        assert value(cluster, "SELECT 1") == 1


def test_the_embedded_database_has_an_owner_and_a_role_for_the_service(data_dir: Path) -> None:
    for _ in range(2):
        with database(None, str(data_dir), None) as at, psycopg.connect(at.service_url) as connection:
            assert connection.info.user == at.service_role == embedded.SERVICE
            assert psycopg.conninfo.conninfo_to_dict(at.owner_url)["user"] == embedded.OWNER


def test_a_named_database_is_left_where_it_is(tmp_path: Path) -> None:
    url = "postgresql://somebody@example.com/wallet"
    with database(url, str(tmp_path / "unused"), "koshel_service") as at:
        assert (at.owner_url, at.service_url, at.service_role) == (url, url, "koshel_service")
    assert not (tmp_path / "unused").exists()
