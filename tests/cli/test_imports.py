"""A command imports what it needs and nothing else, so that none waits for what another needs."""

import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import command
from tests.support.database import Database
from tests.support.waiting import wait_until

SERVER = {"aiohttp", "gunicorn", "uvloop", "structlog", "koshel.serving.supervise", "koshel.http"}
DRIVERS = {"asyncpg", "psycopg", "yoyo"}
DATA = {"iso4217", "xml.etree.ElementTree"}  # the codes of ISO 4217 are a table of Koshel's own
ENDS_WITHIN_S = 60


def imported(log: str) -> list[str]:
    """The modules that `-X importtime` names, once for each process that imports them."""
    return re.findall(r"^import time:.*\| +(\S+)$", log, re.MULTILINE)


def program(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-X", "importtime", "-m", "koshel", *arguments]


@pytest.mark.parametrize(
    ("arguments", "needed", "needless"),
    [
        (["--version"], set(), SERVER | DRIVERS),
        (["serve", "--help"], set(), SERVER | DRIVERS),
        (["serve", "--port", "99999"], set(), {"aiohttp", "gunicorn", "uvloop", "yoyo"}),
        (["openapi"], {"koshel.http.document.openapi"}, {"gunicorn", "uvloop", "yoyo", "psycopg"}),
        (["verify"], {"psycopg"}, {"aiohttp", "gunicorn", "uvloop", "yoyo", "tqdm"}),
        (["currency", "list"], {"psycopg"}, {"aiohttp", "gunicorn", "uvloop", "yoyo"}),
        (["key", "list"], {"asyncpg"}, {"aiohttp", "gunicorn", "uvloop", "yoyo"}),
        (["export", "lines", "--output", "-"], {"psycopg"}, {"aiohttp", "gunicorn", "uvloop", "yoyo", "pyarrow"}),
        (["volume"], {"asyncpg"}, {"aiohttp", "gunicorn", "uvloop", "yoyo", "matplotlib"}),
        (["migrate", "--check"], {"psycopg"}, {"aiohttp", "gunicorn", "uvloop", "yoyo"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_imports_what_it_needs(
    database: Database, arguments: list[str], needed: set[str], needless: set[str]
) -> None:
    environment = command.environment({"database_url": database.owner_url})
    done = subprocess.run(
        program(arguments), env=environment, capture_output=True, check=False, text=True, timeout=ENDS_WITHIN_S
    )
    modules = set(imported(done.stderr))
    assert needed <= modules
    assert not (needless | DATA) & modules


def test_a_service_on_a_migrated_database_imports_no_more_than_it_serves_with(
    database: Database, tmp_path: Path
) -> None:
    environment = command.environment({"database_url": database.service_url, "port": "0", "workers": "1"})
    out, log = tmp_path / "out", tmp_path / "log"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(program(["serve"]), env=environment, stdout=stdout, stderr=stderr)
    try:
        wait_until(lambda: process.poll() is not None or "answers on" in out.read_text(), "an address")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(ENDS_WITHIN_S)
    each = imported(log.read_text())
    modules = set(each)
    assert SERVER - {"koshel.http"} <= modules
    assert each.index("uvloop") < each.index("koshel.serving.supervise")  # and so before the workers are forked
    needless = {"psycopg", "yoyo", "email_validator", "difflib", "jwt", "cryptography", "opentelemetry", "requests"}
    needless |= {
        "koshel.http.document.openapi",
        "koshel.db.server.embedded",
        "koshel.telemetry.tracing",
        "koshel.telemetry.trace_export",
    }
    assert not (needless | DATA) & modules


def test_what_a_command_imports_is_hardly_looked_at_for_garbage() -> None:
    looks = "sum(generation['collections'] for generation in gc.get_stats())"
    code = (
        f"import gc; from koshel.command_line.cli import main; began = {looks}; main(['url']); print({looks} - began)"
    )
    environment = command.environment({"database_url": "postgresql://somewhere"})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True, timeout=ENDS_WITHIN_S
    )
    assert "koshel url" in done.stderr  # all is imported, and the command has complained
    assert int(done.stdout) <= 3
