import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.database import Database
from tests.support.service import Running, free_port, stop

PIPED = {"KOSHEL_WORKERS": "2", "KOSHEL_ACCESS_LOG": "true"}


def lines_of(database: Database, tmp_path: Path, log_format: str) -> list[str]:
    """Standard output of a service that answered three requests and was told to stop."""
    port = free_port()
    environment = os.environ | PIPED | {"KOSHEL_DATABASE_URL": database.service_url, "KOSHEL_PORT": str(port)}
    environment["KOSHEL_LOG_FORMAT"] = log_format
    path = tmp_path / "out"
    with path.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "koshel", "serve"], env=environment, stdout=out)
    service = Running(process, port)
    try:
        deadline = time.monotonic() + 30
        while "answers on" not in path.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        service.call("POST", "/account", {"email": "ann@example.com"}, X_Request_Id='quo"ted')
        service.call("GET", "/account/1")
        service.call("GET", "/nowhere?secret=1")
    finally:
        assert stop(service) == 0
    return path.read_text().splitlines()


def test_every_request_is_a_line_of_json(database: Database, tmp_path: Path) -> None:
    address, *lines = lines_of(database, tmp_path, "json")
    assert re.fullmatch(r"Koshel answers on http://127\.0\.0\.1:\d+", address)
    requests = sorted((json.loads(line) for line in lines), key=lambda request: str(request["time"]))
    told = [(r["event"], r["method"], r["path"], r["status"], r["remote"]) for r in requests]
    assert told == [
        ("request", "POST", "/account", 201, "127.0.0.1"),
        ("request", "GET", "/account/1", 200, "127.0.0.1"),
        ("request", "GET", "/nowhere", 404, "127.0.0.1"),
    ]
    assert requests[0]["request_id"] == 'quo"ted'
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r["time"]) for r in requests)
    assert all(isinstance(r["duration_ms"], int) for r in requests)


@pytest.mark.parametrize("request_line", [r"POST '/account' 201 \d+ ms", r"GET  '/nowhere' 404 \d+ ms"])
def test_a_person_reads_a_line_for_each(database: Database, tmp_path: Path, request_line: str) -> None:
    lines = lines_of(database, tmp_path, "console")
    assert any(re.search(request_line, line) for line in lines), lines
