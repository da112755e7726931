"""The progress bar: on a terminal, and nowhere else."""

import os
import pty
import subprocess
import sys
import termios

from tests.support import command
from tests.support.database import Database


def test_who_looks_on_sees_how_far_it_is(database: Database) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    os.set_blocking(ours, False)
    environment = command.environment({"database_url": database.owner_url})
    done = subprocess.run(
        [sys.executable, "-m", "koshel", "verify"], env=environment, stdout=subprocess.PIPE, stderr=theirs, check=False
    )
    seen = os.read(ours, 10_000).decode()
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, b"The books are right.")
    assert "Proving the books: 100 %|" in seen
    assert "\n" not in seen, "it is gone at the end"
