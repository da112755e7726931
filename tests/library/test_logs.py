"""What the library logs goes to the program's own logs, never to its output, without secrets, and not too often."""

import itertools
import logging
import subprocess
import sys
import time
from textwrap import dedent

import pytest
import structlog
from structlog.testing import capture_logs

from koshel import events
from koshel.db.server.embedded import Cluster
from koshel.events import SAY_PAUSE_MAX_S, Reminder
from koshel.outage import Outage
from tests.support.database import Database

SECRET = "kept-to-ourselves"
PROGRAM = """
import asyncio, sys
import rich  # with it structlog prints the values of variables
import psycopg
from koshel import Ledger, Settings
from koshel.background import Background
{setup}

async def main(url, admin, name):
    async with Ledger.open(url, Settings(background_poll_ms=10), background=True) as ledger:
        with psycopg.connect(admin, autocommit=True) as connection:
            {accident}
            await asyncio.sleep(2)
            connection.execute(f"ALTER DATABASE {{name}} ALLOW_CONNECTIONS true")
        await asyncio.sleep(1.5)

asyncio.run(main(*sys.argv[1:]))
"""
AWAY = """
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
"""
FAULT = """
            async def work(self, kind, password=url):
                raise RuntimeError("a fault")
            Background._work = work
"""
SETUPS = {
    "nothing": "",
    "logging": "import logging; logging.basicConfig(format='%(name)s %(message)s')",
    "structlog": "import structlog; structlog.configure(processors=[structlog.processors.JSONRenderer()],"
    " logger_factory=structlog.PrintLoggerFactory(sys.stderr))",
}


def ended(cluster: Cluster, database: Database, setup: str, accident: str) -> "subprocess.CompletedProcess[str]":
    name = database.service_url.partition("?")[0].rpartition("/")[2]
    url = database.service_url.replace("@", f":{SECRET}@", 1)
    program = dedent(PROGRAM).format(setup=SETUPS[setup], accident=accident.strip())
    return subprocess.run(
        [sys.executable, "-c", program, url, cluster.url(), name],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


@pytest.mark.parametrize("accident", [AWAY, FAULT], ids=["away", "fault"])
def test_a_program_that_has_set_nothing_up_prints_nothing(cluster: Cluster, database: Database, accident: str) -> None:
    run = ended(cluster, database, "nothing", accident)
    assert (run.stdout, run.stderr) == ("", "")


@pytest.mark.parametrize("accident", [AWAY, FAULT], ids=["away", "fault"])
@pytest.mark.parametrize("setup", ["logging", "structlog"])
def test_a_programs_own_logs_have_it_a_few_times_and_without_secrets(
    cluster: Cluster, database: Database, setup: str, accident: str
) -> None:
    run = ended(cluster, database, setup, accident)
    assert run.stdout == ""
    assert SECRET not in run.stderr
    event = "the background waits for the database" if accident is AWAY else "background work failed"
    lines = [line for line in run.stderr.splitlines() if "background wo" in line or "the background" in line]
    assert any(event in line for line in lines)
    assert len(lines) <= 6, lines
    if setup == "logging":
        assert all(line.startswith("koshel ") for line in lines)


def test_no_module_that_the_library_loads_logs_by_itself() -> None:
    looking = """
import sys
import koshel.library.ledger, koshel.db.psycopg_connection
print(*(name for name, one in sys.modules.items() if name.startswith("koshel") and hasattr(one, "structlog")))
"""
    run = subprocess.run([sys.executable, "-c", looking], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["koshel.events"]


@pytest.mark.parametrize("name", ["debug", "info", "warning", "error", "exception"])
def test_each_level_is_the_same_in_both(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = "error" if name == "exception" else name
    monkeypatch.setattr(structlog, "is_configured", lambda: False)
    with caplog.at_level(logging.DEBUG, "koshel"):
        getattr(events.get_logger(), name)("it happened", count=2)
    (record,) = caplog.records
    assert (record.name, record.getMessage(), record.levelname) == ("koshel", "it happened count=2", level.upper())
    monkeypatch.setattr(structlog, "is_configured", lambda: True)
    with capture_logs() as lines:
        getattr(events.get_logger(), name)("it happened", count=2)
    traceback = {"exc_info": True} if name == "exception" else {}
    assert lines == [{"event": "it happened", "count": 2, "log_level": level} | traceback]


def test_the_same_is_said_at_once_then_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reminder, said = Reminder(), []
    for _ in range(40_000):
        if reminder.is_due():
            said.append(now)
        now += 0.1
    pauses = [round(later - before) for before, later in itertools.pairwise(said)]
    assert pauses[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(pauses[10:]) == {SAY_PAUSE_MAX_S}
    reminder.over()
    assert reminder.is_due()


def test_a_fault_is_said_again_once_the_work_went_well_between() -> None:
    outage = Outage()
    with capture_logs() as lines:
        for _ in range(3):
            outage.failed("queued", RuntimeError("a fault"))
        outage.failed("holds", RuntimeError("a fault"))
        outage.over("queued")
        outage.failed("queued", RuntimeError("a fault"))
    assert [line["event"] for line in lines] == ["background work failed"] * 3
