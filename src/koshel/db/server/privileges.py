"""As whom the embedded PostgreSQL runs when Koshel runs as root, which PostgreSQL refuses; and what that user may."""

import logging
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from koshel.db.errors import EmbeddedError

SYSTEM_USER = "koshel_postgres"
CAPABILITIES = ("dac_read_search", "dac_override")  # either passes closed directories; the lesser one first

_USER_EXISTS = 9  # useradd: another process was quicker

_log = logging.getLogger(__name__)


def system_user() -> str:
    """A user for the server to run as when Koshel runs as root. Raises EmbeddedError."""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["/usr/sbin/useradd", "--system", "--user-group", "--shell", "/bin/false", SYSTEM_USER]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            raise EmbeddedError(f"PostgreSQL refuses root, and useradd cannot be run: {error}") from None
        if done.returncode not in {0, _USER_EXISTS}:
            raise EmbeddedError(f"useradd failed: {done.stderr.strip()}") from None
        _log.warning(
            "root has made the system user %s, to run the embedded PostgreSQL, which refuses root", SYSTEM_USER
        )
    return SYSTEM_USER


@cache
def way_in(user: str, program: Path, at: Path) -> Sequence[str]:
    """What to put before a program so that the user can pass what is closed above it, or above a place.

    No directory changes: the server gets the capability to pass them, as root has it, and no other of root's.
    Raises EmbeddedError.
    """
    closed = next(filter(None, (_closed(path, user) for path in (program, at))), None)
    if closed is None:
        return ()
    setpriv, number = shutil.which("setpriv"), pwd.getpwnam(user)
    for name in CAPABILITIES if setpriv else ():
        who = [f"--reuid={number.pw_uid}", f"--regid={number.pw_gid}", "--clear-groups"]
        prefix = [str(setpriv), *who, f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}", "--"]
        tried = subprocess.run([*prefix, program, "--version"], check=False, capture_output=True)
        if tried.returncode == 0:
            return tuple(prefix)
    raise EmbeddedError(
        f"{closed} is closed to the system user {user}, as whom root runs the embedded PostgreSQL; choose a --data-dir"
        " (and an installation) that others may pass through, run Koshel as another user, or set KOSHEL_DATABASE_URL"
    )


def _closed(path: Path, user: str) -> Path | None:
    """The first directory above a path that a user cannot pass through."""
    owner = pwd.getpwnam(user).pw_uid
    for parent in reversed(path.parents):
        found = parent.stat()
        if not found.st_mode & (stat.S_IXUSR if found.st_uid == owner else stat.S_IXOTH):
            return parent
    return None
