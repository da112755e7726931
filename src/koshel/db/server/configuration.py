"""How the embedded PostgreSQL is set, at each start, also where an earlier version has made the data directory.

postgresql.conf       initdb's, with a line at its end that includes the next one
koshel.conf           Koshel's, written anew at each start
postgresql.auto.conf  the operator's, by ALTER SYSTEM: PostgreSQL reads it last, so that it wins
"""

import os
import re
import shutil
from pathlib import Path

from koshel.machine import memory

# fsync, full_page_writes and synchronous_commit stay on: what was acknowledged is on disk. Full pages are not
# compressed: this server has pglz only, which costs more than it saves. `advice` says why checkpoints are far apart.
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "15s",
    "log_checkpoints": "off",
}

# A quarter of the memory, as is usual, in these bounds: with less it is slow, and books of a million accounts have no
# use for more.
SHARED_BUFFERS_MB = (256, 2_048)

_MAIN = "postgresql.conf"
_OURS = "koshel.conf"
_HEAD = "# Koshel writes this file anew at each start. To change a setting use ALTER SYSTEM, which wins over it.\n"
_INCLUDE = f"include_if_exists '{_OURS}'"
_INCLUDED = re.compile(rf"^\s*include(_if_exists)?\b[^#\n]*\b{re.escape(_OURS)}".encode(), re.IGNORECASE | re.MULTILINE)


def write(directory: Path) -> None:
    """Write the settings of the cluster in a directory, for its next start. Raises OSError."""
    ours, main = directory / _OURS, directory / _MAIN
    settings = SETTINGS | {"shared_buffers": shared_buffers()}
    _replace(ours, (_HEAD + "".join(f"{name} = '{value}'\n" for name, value in settings.items())).encode(), like=main)
    text = main.read_bytes()
    if not _INCLUDED.search(text):
        end = b"" if text.endswith(b"\n") else b"\n"
        _replace(main.resolve(), text + end + f"{_INCLUDE}\n".encode(), like=main)


def shared_buffers() -> str:
    """How much of the memory the server takes for the pages of its tables; it is taken as they are read."""
    least, most = SHARED_BUFFERS_MB
    return f"{max(least, min(memory.available() // 4 >> 20, most))}MB"


def _replace(path: Path, content: bytes, *, like: Path) -> None:
    """A file as a whole or not at all, with the owner and the rights of another one: the server may be another user."""
    if path.exists() and path.read_bytes() == content:
        return
    new, found = path.with_name(f"{path.name}.new"), like.stat()
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    shutil.copymode(like, new)
    if found.st_uid != new.stat().st_uid:
        os.chown(new, found.st_uid, found.st_gid)
    new.replace(path)
