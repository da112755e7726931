"""A PgBouncer before a test's PostgreSQL, on a port of loopback."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from koshel.db.server import embedded, privileges, programs
from koshel.db.server.embedded import Cluster
from tests.support.service import free_port
from tests.support.waiting import wait_until

INI = """
[databases]
* = host={sockets} port=5432

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = 60
max_client_conn = 200
server_login_retry = 1
server_round_robin = {round_robin}
log_connections = 0
log_disconnections = 0
"""


class Pooler:
    """Open it with `pooling`."""

    def __init__(self, port: int) -> None:
        self._port = port

    def url(self, role: str = embedded.SERVICE, database: str = "postgres") -> str:
        """The URL of a database behind the pooler."""
        return f"postgresql://{role}@127.0.0.1:{self._port}/{database}?sslmode=disable"


@contextmanager
def pooling(cluster: Cluster, directory: Path, mode: str, *, round_robin: bool = False) -> Iterator[Pooler]:
    """A PgBouncer that deals connections out by session, transaction or statement."""
    port = free_port()
    users, ini = directory / "users.txt", directory / "pgbouncer.ini"
    users.write_text("".join(f'"{role}" ""\n' for role in (embedded.OWNER, embedded.SERVICE)))
    ini.write_text(INI.format(sockets=cluster.sockets, port=port, users=users, mode=mode, round_robin=int(round_robin)))
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    assert program is not None, "PgBouncer is not installed; `make tools` does it"
    # As who runs the server: PgBouncer refuses root too.
    way_in = (
        ()
        if cluster.user is None
        else privileges.way_in(cluster.user, programs.directory() / "pg_ctl", cluster.directory)
    )
    user = cluster.user if not way_in else None
    with subprocess.Popen([*way_in, program, "--quiet", ini], user=user, stdin=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _listens(port), "PgBouncer listens")
            yield Pooler(port)
        finally:
            process.send_signal(signal.SIGTERM)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
