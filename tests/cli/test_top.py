"""`koshel top`: what it shows of a service that works, and what it says where it can see none."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from koshel import api_keys
from koshel.command_line.top import view
from koshel.config import extras
from koshel.telemetry.metrics import TABLE
from koshel.telemetry.readings import Between, Reading
from tests.support.command import environment
from tests.support.database import Database
from tests.support.keyed import new_key
from tests.support.service import Running, free_port, serving


@pytest.fixture
def service(database: Database) -> Iterator[Running]:
    with serving(database.service_url, workers="2") as service:
        yield service


def top(
    *arguments: str, program: str = "from koshel.command_line.cli import main; raise SystemExit(main())"
) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-c", program, "top", *arguments],
        env=environment({}) | {"COLUMNS": "220"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_it_shows_what_is_done_meanwhile(service: Running) -> None:
    service.call("POST", "/account", {"email": "ann@example.com"})

    def work(number: int) -> None:
        service.call("POST", "/account/1/payment", {"amount": "1"})
        service.call("POST", "/account/1/withdrawal", {"amount": "1000"} if number % 2 else {"amount": "one"})

    with ThreadPoolExecutor(4) as callers:
        shown = callers.submit(top, service.url, "--once", "--every", "3")
        while not shown.done():
            list(callers.map(work, range(10)))
        status, printed, complaints = shown.result()
    assert (status, complaints) == (0, "")
    head = printed.splitlines()[0]
    assert head.startswith("Koshel ")
    for part in (service.url, "2 workers", "cores", "MiB"):
        assert part in head
    for row in ("POST /account/{id}/payment", "POST /account/{id}/withdrawal", "commit", "in the queue"):
        assert row in printed
    for row in ("payment", "insufficient-funds", "validation-failed"):
        assert row in printed
    assert "does not answer" not in printed
    assert "@example.com" not in printed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["http://127.0.0.1:{port}"], "does not answer: "),
        (["ftp://127.0.0.1"], "is no URL: it begins with http:// or https://"),
        (["http://127.0.0.1:{port}", "--key-file", "nowhere"], "nowhere cannot be read: No such file"),
    ],
)
def test_where_there_is_nothing_to_be_seen_one_line_says_why(arguments: list[str], complaint: str) -> None:
    status, printed, said = top(*(one.replace("{port}", str(free_port())) for one in arguments), "--once")
    assert (status, printed) == (1, "")
    assert said.startswith("koshel: ")
    assert complaint in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("every", ["nan", "inf", "-inf", "0", "0.1", "-1", "86401", "soon", "1e999"])
def test_a_pause_that_is_none_is_refused(every: str) -> None:
    status, printed, said = top("http://127.0.0.1:1", "--once", f"--every={every}")
    assert (status, printed) == (2, "")
    assert said.startswith(f"koshel top: argument --every: {every!r} is no number of seconds from 0.2 to 86400; ")


@pytest.mark.parametrize(("flag", "value"), [("--host", "127.0.0.1"), ("--port", "1")])
def test_a_url_and_an_address_are_not_taken_together(flag: str, value: str) -> None:
    status, printed, said = top("http://127.0.0.1:1", flag, value, "--once")
    assert (status, printed) == (1, "")
    assert said == f"koshel: {flag} and a URL both say where the service is: give one of them\n"


def test_a_service_without_metrics_is_no_fault(database: Database) -> None:
    with serving(database.service_url, workers="1", metrics="off") as service:
        status, _, said = top(service.url, "--once")
    assert (status, said) == (1, f"koshel: {service.url} answers 404 Not Found where metrics should be\n")


def test_a_key_is_sent_as_it_stands_in_its_file(database: Database, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(f"{asyncio.run(new_key(database.service_url, 'admin')).text}\n")
    wrong.write_text(f"{api_keys.make()}\n")
    with serving(database.service_url, auth="keys", workers="1") as service:
        asked = service.url, "--once", "--every", "0.2"
        refusal = f"koshel: {service.url} answers 401 Unauthorized where metrics should be\n"
        assert top(*asked) == top(*asked, "--key-file", str(wrong)) == (1, "", refusal)
        status, printed, complaints = top(*asked, "--key-file", str(right))
    assert (status, complaints) == (0, "")
    assert "1 worker" in printed


def test_without_rich_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['rich'] = None; from koshel.command_line.cli import main; raise SystemExit(main())"
    )
    status, _, said = top("--once", program=program)
    assert (status, said) == (1, f"koshel: koshel top draws with rich: {extras.how_to_install('top')}\n")


def test_it_asks_for_metrics_that_there_are() -> None:
    asked: set[str] = set()

    class Asked(Reading, frozen=True):
        def series(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
            asked.add(name)
            return super().series(name, **labels)

    nothing = Asked(0.0, {})
    view("http://127.0.0.1", Between(nothing, nothing))
    names = {one.name for one in TABLE}
    assert asked
    assert {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in asked} <= names
