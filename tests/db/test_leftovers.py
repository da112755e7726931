"""What a killed server leaves: its lock files go when their number is somebody else's, and only then."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from koshel.db.errors import EmbeddedError
from koshel.db.server import embedded, leftovers, privileges
from koshel.db.server.embedded import Cluster

PID_FILE = "{pid}\n{directory}\n1700000000\n5432\n{directory}\n\n  1234567         7\nready   \n"


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is no PostgreSQL, of the user that runs the server: PostgreSQL would believe it to be one."""
    user = privileges.system_user() if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "600"], user=user, cwd="/") as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose cluster is made and stopped; each test leaves it so."""
    directory = tmp_path_factory.mktemp("left")
    with embedded.running(directory):
        pass
    return directory


def _leave(directory: Path, pid: int) -> list[Path]:
    """Lock files as a server leaves them that was killed, with this number."""
    paths = [directory / leftovers.PID_FILE, directory / leftovers.SOCKET_LOCK]
    for path in paths:
        path.write_text(PID_FILE.format(pid=pid, directory=directory))
        owner = directory.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o600)
    return paths


def _answers(cluster: Cluster) -> bool:
    with psycopg.connect(cluster.url()) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_a_number_that_somebody_else_has_does_not_stop_the_server(
    data_dir: Path, stranger: "subprocess.Popen[bytes]", caplog: pytest.LogCaptureFixture
) -> None:
    _leave(data_dir / "postgres", stranger.pid)
    with embedded.running(data_dir) as cluster:
        assert _answers(cluster)
    assert stranger.poll() is None
    assert f"postmaster.pid names process {stranger.pid}, which is no server of this cluster" in caplog.text


def test_our_own_number_does_not_stop_the_server(data_dir: Path) -> None:
    _leave(data_dir / "postgres", os.getpid())
    with embedded.running(data_dir) as cluster:
        assert _answers(cluster)


def test_another_clusters_server_does_not_stop_this_one(data_dir: Path, cluster: Cluster) -> None:
    other = int((cluster.directory / leftovers.PID_FILE).read_text().split()[0])
    _leave(data_dir / "postgres", other)
    with embedded.running(data_dir) as mine:
        assert _answers(mine)
    assert _answers(cluster)


def test_the_lock_files_of_a_server_that_lives_stay(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        paths = [cluster.directory / leftovers.PID_FILE, cluster.sockets / leftovers.SOCKET_LOCK]
        leftovers.remove(cluster.directory, cluster.sockets)
        assert all(path.exists() for path in paths)
        assert _answers(cluster)


def test_the_lock_files_of_a_server_that_is_just_dying_stay(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken note yet
        paths = _leave(tmp_path, process.pid)
        leftovers.remove(tmp_path, tmp_path)
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("text", ["", "\n", "what?\n", "99999999\n"])
def test_what_names_no_living_process_is_left_to_postgresql(tmp_path: Path, text: str) -> None:
    (tmp_path / leftovers.PID_FILE).write_text(text)
    leftovers.remove(tmp_path, tmp_path)
    assert (tmp_path / leftovers.PID_FILE).exists()


def test_a_child_that_was_forked_while_a_server_started_does_not_keep_others_from_it(data_dir: Path) -> None:
    with embedded._starting(data_dir):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        with embedded.running(data_dir) as cluster:
            assert _answers(cluster)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


class _Closed(socket.socket):
    def connect(self, _: object, /) -> None:
        raise PermissionError(13, "Permission denied")


def test_a_cluster_that_is_closed_to_us_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(data_dir / "postgres", data_dir / "postgres", None)
    monkeypatch.setattr(socket, "socket", _Closed)
    with pytest.raises(EmbeddedError, match=r"postgres is closed to the user that Koshel runs as; .* --data-dir"):
        embedded.is_running(cluster)
