"""The PostgreSQL that comes with the package: for a first run and for tests, durable all the same.

    data_dir/postgres  the cluster, made once, under another name until it is whole
    data_dir/users     flock, shared by every process that uses the server; the last one stops it
    data_dir/starting  flock, held while the server is made, started or stopped

The kernel drops a dead process's locks, so no kill leaves a stale one behind, and a server that was
killed recovers when the next process starts it.
"""

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from msgspec import Struct

from koshel.db.errors import EmbeddedError
from koshel.db.server import configuration, data_directory, leftovers, privileges, programs

OWNER = "koshel"
SERVICE = "koshel_service"
START_TIMEOUT_S = 120  # crash recovery included
LEAVE_TIMEOUT_S = 20  # for the processes of a killed server to be gone
LEAVE_PAUSE_S = 0.1
SOCKET_PATH_MAX = 90  # bytes of the directory; the kernel takes 107 with the file's name
SOCKET_PATH = re.compile(r"[\w./-]+", re.ASCII)  # what needs no quoting for a shell, for PostgreSQL or in a URL


class Cluster(Struct, frozen=True):
    """Where it is, and as which system user it runs (PostgreSQL refuses root)."""

    directory: Path
    sockets: Path
    user: str | None

    def url(self, role: str = OWNER, database: str = "postgres") -> str:
        """The connection URL for a role and a database."""
        return f"postgresql://{role}@/{database}?host={self.sockets}"


@contextmanager
def running(data_dir: Path) -> Iterator[Cluster]:
    """The cluster under `data_dir`, made and started if need be; stopped by the last to leave. Raises EmbeddedError."""
    with ExitStack() as stack:
        with data_directory.usable(data_dir):
            data_dir = data_dir.expanduser().resolve()
            data_dir.mkdir(parents=True, exist_ok=True)
            users = stack.enter_context((data_dir / "users").open("w"))
            with _starting(data_dir):
                fcntl.flock(users, fcntl.LOCK_SH)
                cluster = _prepare(data_dir)
                start(cluster)
        owner = os.getpid()
        try:
            yield cluster
        finally:
            # A forked worker that leaves through here shares its parent's lock, and is not the last.
            if os.getpid() == owner:
                with _starting(data_dir):
                    if _is_last(users):
                        stop(cluster)


def exists(data_dir: Path) -> bool:
    """Whether there is one. Raises EmbeddedError."""
    with data_directory.usable(data_dir):
        return (data_dir / "postgres").expanduser().exists()


def start(cluster: Cluster) -> None:
    """Start the server unless it runs. Raises EmbeddedError."""
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while not is_running(cluster):
        data_directory.check_version(cluster.directory)
        with data_directory.usable(cluster.directory.parent):
            configuration.write(cluster.directory)
        failure = _try_to_start(cluster)
        if is_running(cluster):
            return
        # A killed server leaves its pid file, and a new one refuses to start beside what is left of it.
        if time.monotonic() > deadline or not (cluster.directory / leftovers.PID_FILE).exists():
            raise EmbeddedError(f"{failure} The log is {_log_file(cluster)}") from failure
        time.sleep(LEAVE_PAUSE_S)


def _try_to_start(cluster: Cluster) -> EmbeddedError:
    leftovers.remove(cluster.directory, cluster.sockets)
    options = [f"--options=-k {cluster.sockets}", f"--log={_log_file(cluster)}", f"--timeout={START_TIMEOUT_S}"]
    try:
        _pg_ctl(cluster, "start", *options)
    except EmbeddedError as error:
        return error
    # Or gunicorn, which looks after all children of the process, was quicker to learn how this one ended.
    return EmbeddedError("pg_ctl has not started the server.")


def _log_file(cluster: Cluster) -> Path:
    return cluster.directory / "server.log"


def stop(cluster: Cluster) -> None:
    """Stop the server if it runs. Raises EmbeddedError."""
    if not is_running(cluster):
        return
    try:
        _pg_ctl(cluster, "stop", "--mode=fast")
    except EmbeddedError:
        # One that is killed meanwhile is stopped too, though not in order.
        if is_running(cluster):
            raise


def _prepare(data_dir: Path) -> Cluster:
    user = privileges.system_user() if os.geteuid() == 0 else None
    directory = data_dir / "postgres"
    if not directory.exists():
        _make(data_dir, directory, user)
    return Cluster(directory, _socket_directory(directory, user), user)


def _make(data_dir: Path, directory: Path, user: str | None) -> None:
    """A new cluster, whole or not at all: it gets its name when it is done."""
    half = data_dir / "postgres.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(half, user, user)
    programs.run(
        "initdb",
        user,
        half,
        f"--pgdata={half}",
        f"--username={OWNER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    )
    half.rename(directory)


def _socket_directory(directory: Path, user: str | None) -> Path:
    """The cluster's own directory, closed to other users; one of our own if that path is too long or too odd."""
    if len(os.fsencode(directory)) <= SOCKET_PATH_MAX and SOCKET_PATH.fullmatch(str(directory)):
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    sockets = Path(tempfile.gettempdir()) / f"koshel-{digest}"
    owners = {os.geteuid()} if user is None else {os.geteuid(), pwd.getpwnam(user).pw_uid}
    sockets.mkdir(mode=0o700, exist_ok=True)
    found = sockets.lstat()
    # Its name can be guessed, and any user may make directories there.
    if found.st_uid not in owners or found.st_mode != stat.S_IFDIR | 0o700:
        raise EmbeddedError(f"{sockets} is not a directory that is ours and closed to others; remove it")
    if user is not None:
        shutil.chown(sockets, user, user)
    return sockets


def is_running(cluster: Cluster) -> bool:
    """Whether anybody listens. Raises EmbeddedError if that is not to be known."""
    # Its socket rather than its pid file: a pid may be a killed server's, not reaped yet, or somebody else's by now.
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(cluster.sockets / ".s.PGSQL.5432"))
        except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:
            raise EmbeddedError(
                f"{cluster.sockets} is closed to the user that Koshel runs as; run it as who made the data directory,"
                " or choose another --data-dir"
            ) from None
    return True


def _pg_ctl(cluster: Cluster, action: str, *options: str) -> None:
    programs.run("pg_ctl", cluster.user, cluster.directory, action, f"--pgdata={cluster.directory}", *options)


def start_again(cluster: Cluster, unless: Callable[[], bool]) -> None:
    """Start a server that was killed, in turn with all who make, start or stop it. Raises EmbeddedError."""
    with _starting(cluster.directory.parent):
        if not unless():
            start(cluster)


@contextmanager
def _starting(data_dir: Path) -> Iterator[None]:
    with (data_dir / "starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile would keep it


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
