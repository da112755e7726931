"""How long `koshel serve` takes to its first answer, against nothing but importing what it stands on.

    python -m bench.startup

Both in turn, so that what else the machine does falls on both. The database is there, and migrated. Both find what they
import as it is where the service is installed:

- Modules are compiled, as pip leaves them. Where Python is told to write no bytecode, a checkout would compile Koshel's
  own modules at each start, and the packages that it is compared with are compiled anyway.
- `rich` is kept away. It comes with the tools for developing, and structlog takes a while to import it.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from msgspec import Struct

from koshel.db.server import embedded
from koshel.db.starting.databases import database
from koshel.db.starting.migrate import migrate

IMPORTS = "import aiohttp, asyncpg, gunicorn, uvloop"
ROUNDS = 7
ANSWERS_WITHIN_S = 60
STOPS_WITHIN_S = 60
PAUSE_S = 0.005
REQUEST = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


class Startup(Struct, frozen=True):
    """Seconds, the median of several."""

    imports_s: float
    first_answer_s: float

    @property
    def ratio(self) -> float:
        """What the first answer costs, in imports."""
        return self.first_answer_s / self.imports_s


def measure(rounds: int = ROUNDS) -> Startup:
    """Both, in turn, on a migrated database of its own."""
    imports, answers = [], []
    with tempfile.TemporaryDirectory(prefix="koshel-startup-") as directory, _migrated() as url:
        Path(directory, "rich.py").write_text("raise ImportError\n")
        environment = _environment(Path(directory))
        _first_answer_s(url, environment)  # compiles all that either imports
        for _ in range(rounds):
            imports.append(_imports_s(environment))
            answers.append(_first_answer_s(url, environment))
    return Startup(median(imports), median(answers))


@contextmanager
def _migrated() -> Iterator[str]:
    """The URL of a migrated database, as the service."""
    with tempfile.TemporaryDirectory(prefix="koshel-startup-") as directory, database(None, directory, None) as at:
        migrate(at.owner_url, service_role=embedded.SERVICE)
        yield at.service_url


def _environment(directory: Path) -> dict[str, str]:
    """Of both: the modules in the directory come before all others, and what is compiled is kept there."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("KOSHEL_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    paths = [str(directory), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environment | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONPYCACHEPREFIX": str(directory / "compiled")}


def _imports_s(environment: Mapping[str, str]) -> float:
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, env=environment)
    return time.monotonic() - start


def _first_answer_s(url: str, environment: Mapping[str, str]) -> float:
    port = _free_port()
    settings = {"KOSHEL_DATABASE_URL": url, "KOSHEL_PORT": str(port), "KOSHEL_ACCESS_LOG": "false"}
    start = time.monotonic()
    with subprocess.Popen(
        [Path(sys.executable).with_name("koshel"), "serve"],
        env={**environment, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            while not _answers(port):
                if server.poll() is not None or time.monotonic() - start > ANSWERS_WITHIN_S:
                    message = "koshel serve does not answer"
                    raise RuntimeError(message)
                time.sleep(PAUSE_S)
            took = time.monotonic() - start
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(STOPS_WITHIN_S)
    return took


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=ANSWERS_WITHIN_S) as connection:
        connection.sendall(REQUEST)
        return connection.recv(64).startswith(b"HTTP/1.1 200")
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    took = measure()
    print(
        f"first answer {took.first_answer_s * 1000:.0f} ms, imports {took.imports_s * 1000:.0f} ms, "
        f"ratio {took.ratio:.2f}"
    )
