"""One more process that uses an embedded PostgreSQL: `python -m tests.support.server_user DIRECTORY`.

Says so when it runs, and leaves when its standard input ends.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from koshel.db.server import embedded

ROOT = Path(__file__).parents[2]


@contextmanager
def another_user(data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that uses the server for as long as the block lasts, unless it is killed."""
    command = [sys.executable, "-m", "tests.support.server_user", str(data_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        yield process


def main() -> None:
    """Use the server until standard input ends."""
    with embedded.running(Path(sys.argv[1])):
        sys.stdout.write("running\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
