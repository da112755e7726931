"""The processes: each worker has a socket of its own, and the port stays the same whoever dies."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.database import Database
from tests.support.service import Running, stop
from tests.support.waiting import wait_until


def test_any_port_can_be_asked_for_and_stays_when_every_worker_dies(database: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = os.environ | {"KOSHEL_DATABASE_URL": database.service_url, "KOSHEL_PORT": "0", "KOSHEL_WORKERS": "2"}
    with out.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-m", "koshel", "serve"], env=environment, stdout=stdout)
    try:
        wait_until(lambda: "answers on" in out.read_text(), "an address")
        found = re.search(r"answers on http://127\.0\.0\.1:(\d+)", out.read_text())
        assert found is not None
        service = Running(process, int(found[1]))
        service.wait_until_ready()
        wait_until(lambda: len(service.workers()) == 2, "two workers")
        first = service.workers()
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        # The sockets are the master's: this call waits for the next workers instead of being refused.
        assert service.call("GET", "/health/live").status == 200
        wait_until(lambda: len(set(service.workers()) - set(first)) == 2, "two new workers")
    finally:
        assert stop(Running(process, 0)) == 0
