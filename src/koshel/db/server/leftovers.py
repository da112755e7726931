"""What a server that was killed leaves behind, and what would keep the next one from starting.

PostgreSQL refuses to start while the process whose number its lock file has is alive. After a crash of the host, or in
the next container, that number may be anybody's: Koshel's own, for one.
"""

import logging
import os
from pathlib import Path

PID_FILE = "postmaster.pid"
SOCKET_LOCK = ".s.PGSQL.5432.lock"

_PROCESSES = Path("/proc")

_log = logging.getLogger(__name__)


def remove(directory: Path, sockets: Path) -> None:
    """Remove the lock files of a cluster whose number is somebody else's. Only for who may start the server."""
    for path in (directory / PID_FILE, sockets / SOCKET_LOCK):
        pid = _pid_in(path)
        if pid is not None and _is_somebody_else(pid, directory):
            _log.warning("%s names process %s, which is no server of this cluster; removed", path, pid)
            path.unlink(missing_ok=True)


def _pid_in(path: Path) -> int | None:
    try:
        return abs(int(path.read_text().split()[0]))  # negative: of a server without a postmaster
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _is_somebody_else(pid: int, directory: Path) -> bool:
    """Whether that process lives, and is surely no server of the directory; PostgreSQL sees by itself that one is dead.

    A zombie has no command line any more. It may have been our server, whose other processes are about to go.
    """
    try:
        command = (_PROCESSES / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return command != b"" and os.fsencode(directory) not in command.split(b"\0")
