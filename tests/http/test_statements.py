"""Balances at a time and statements, over HTTP: as JSON and as CSV, in parts."""

import contextlib
import csv
import io
import json
import socket
from typing import Any

import pytest

from koshel.db.server.embedded import Cluster
from koshel.http.bodies.csv_lines import COLUMNS, safe
from koshel.http.handlers.statements import LINES_AT_ONCE
from koshel.http.limits import STREAMS_MAX
from koshel.inputs.moments import REASON
from tests.http.conftest import OpenAccount, Send
from tests.http.test_refusals import assert_problem
from tests.support.clone import cloned
from tests.support.service import Answer, Running, serving
from tests.support.till import Till
from tests.support.waiting import wait_until

LONG = 3 * LINES_AT_ONCE + 7


@pytest.fixture(scope="module")
def long(service: Running) -> int:
    """An account with lines in more than one part, and texts that a spreadsheet would run."""
    opened: int = service.call("POST", "/account", {"email": "ann@example.com"}).body["id"]
    members = [
        {"source_account_id": None, "target_account_id": opened, "amount": str(n), "reference": f"={n}"}
        for n in range(1, LONG)
    ]
    assert service.call("POST", "/transaction/batch", {"transactions": members[:250]}).status == 201
    assert service.call("POST", "/transaction/batch", {"transactions": members[250:]}).status == 201
    assert service.call("POST", f"/account/{opened}/withdrawal", {"amount": "5"}).status == 201
    return opened


def rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def test_a_statement_adds_up(service: Running, long: int) -> None:
    answer = service.call("GET", f"/account/{long}/statement")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Vary"] == "Accept"
    lines = answer.body["lines"]
    assert [line["version"] for line in lines] == list(range(1, LONG + 1))
    total_in = sum(range(1, LONG))
    assert answer.body["opening_balance"] == "0.00"
    assert (answer.body["total_in"], answer.body["total_out"]) == (f"{total_in}.00", "5.00")
    assert answer.body["closing_balance"] == f"{total_in - 5}.00" == lines[-1]["balance"]
    page = service.call("GET", f"/account/{long}/transaction?order=asc&limit=500").body["items"]
    assert lines == page, "the lines of a statement are those of the list"


def test_a_statement_of_a_time_begins_and_ends_there(service: Running, till: Till, open_account: OpenAccount) -> None:
    ann = open_account()
    made = [till.pay(ann, str(amount)).body for amount in (1, 2, 4, 8)]
    since, until = made[1]["ctime"], made[3]["ctime"]
    body = service.call("GET", f"/account/{ann}/statement?since={since}&until={until}").body
    said = {name: value for name, value in body.items() if name not in {"lines", "account_id", "currency"}}
    assert said == {"opening_balance": "1.00", "closing_balance": "7.00", "total_in": "6.00", "total_out": "0.00"}
    assert [line["transaction"]["id"] for line in body["lines"]] == [made[1]["id"], made[2]["id"]]
    nothing = service.call("GET", f"/account/{ann}/statement?since={until}&until={until}").body
    assert (nothing["opening_balance"], nothing["closing_balance"], nothing["lines"]) == ("7.00", "7.00", [])


def test_as_csv_it_has_the_same_lines_and_no_formula(send: Send, service: Running, long: int) -> None:
    answer = send("GET", f"/account/{long}/statement", headers={"Host": "127.0.0.1", "Accept": "text/csv"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    found = rows(answer.body)
    assert tuple(found[0]) == COLUMNS
    lines = service.call("GET", f"/account/{long}/statement").body["lines"]
    assert [row["balance"] for row in found] == [line["balance"] for line in lines]
    assert [row["change"] for row in found] == [line["change"] for line in lines]
    assert found[0]["reference"] == "'=1", "it is no formula any more"
    assert not [cell for row in found for cell in row.values() if cell.startswith(("=", "+", "@"))]


@pytest.mark.parametrize("accepted", ["application/json", "*/*", "text/html", "text/csv;q=0.5, application/json", ""])
def test_it_is_json_unless_csv_is_asked_for(send: Send, long: int, accepted: str) -> None:
    answer = send("GET", f"/account/{long}/statement", headers={"Host": "127.0.0.1", "Accept": accepted})
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'x", "'=1", "\uff1d1", "a=1", "1-1", ""]
)
def test_a_text_of_a_callers_own_comes_back_as_it_was(text: str) -> None:
    kept = safe(text)
    assert not kept.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
    assert kept.removeprefix("'") == text


def test_http_1_0_gets_it_whole_and_the_connection_ends(service: Running, long: int) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(f"GET /account/{long}/statement HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert b"Connection: close" in head
    assert len(json.loads(body)["lines"]) == LONG


def test_head_has_no_body(send: Send, long: int) -> None:
    answer = send("HEAD", f"/account/{long}/statement", headers={"Host": "127.0.0.1"})
    assert (answer.status, answer.body) == (200, b"")


def test_a_connection_goes_on_after_a_statement(service: Running, long: int) -> None:
    request = f"GET /account/{long}/statement HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        for _ in range(3):
            client.sendall(request)
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += client.recv(65_536)
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_balance_is_that_of_a_version_or_of_a_time(service: Running, till: Till, open_account: OpenAccount) -> None:
    ann = open_account()
    made = [till.pay(ann, str(amount)).body for amount in (1, 2, 4)]
    till.hold(ann, None, "3")

    def balance(query: str = "") -> Any:
        body = service.call("GET", f"/account/{ann}/balance{query}").body
        return body["version"], body["balance"], body["held"]

    opened = till.account(ann)["ctime"]
    assert balance() == (4, "7.00", "3.00")
    assert [balance(f"?version={version}") for version in (0, 1, 3)] == [
        (0, "0.00", "0.00"),
        (1, "1.00", "0.00"),
        (3, "7.00", "0.00"),
    ]
    assert balance(f"?at={made[1]['ctime']}") == (2, "3.00", "0.00")
    assert balance(f"?at={opened}") == balance("?at=0001-01-01T00:00:00Z") == (0, "0.00", "0.00")
    assert balance("?at=9999-12-31T23:59:59.999999Z") == (4, "7.00", "3.00")


@pytest.mark.parametrize(
    ("path", "name", "detail"),
    [
        ("balance?version=5", "version", "must not be more than 0, which the account is at"),
        ("balance?version=-1", "version", None),
        ("balance?version=0&at=2026-01-01T00:00:00Z", "version", "does not go with at"),
        ("balance?at=now", "at", REASON),
        ("balance?att=2026-01-01T00:00:00Z", "att", "is not known"),
        ("statement?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since", "must not be after until"),
        ("statement?limit=5", "limit", "is not known"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    service: Running, open_account: OpenAccount, path: str, name: str, detail: str | None
) -> None:
    answer = service.call("GET", f"/account/{open_account()}/{path}")
    assert_problem(answer, "validation-failed")
    assert answer.body["errors"][0]["parameter"] == name
    assert detail in {None, answer.body["errors"][0]["detail"]}


@pytest.mark.parametrize("what", ["balance", "statement", "transaction"])
def test_an_account_that_is_not_there_is_not_found(service: Running, what: str) -> None:
    assert_problem(service.call("GET", f"/account/999999/{what}"), "account-not-found")
    assert_problem(service.call("GET", f"/account/@no-such/{what}"), "account-not-found")


def test_who_stops_reading_a_statement_is_cut_off_and_nobody_else_waits(cluster: Cluster) -> None:
    limits = {"auth": "off", "workers": "1", "send_timeout_ms": "5000", "max_balance": "999999999"}
    with cloned(cluster, "statements_tests") as database, serving(database.service_url, **limits) as service:
        opened = service.call("POST", "/account", {"email": "ann@example.com"}).body["id"]
        member = {"source_account_id": None, "target_account_id": opened, "amount": "1", "description": "x" * 500}
        for _ in range(5):  # more than a socket holds
            assert service.call("POST", "/transaction/batch", {"transactions": [member] * 1_000}).status == 201
        request = f"GET /account/{opened}/statement HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

        def statement() -> Answer:
            return service.call("GET", f"/account/{opened}/statement?until=0001-01-01T00:00:00Z")

        with contextlib.ExitStack() as stack:
            for _ in range(STREAMS_MAX):
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                client.connect(("127.0.0.1", service.port))
                client.sendall(request)
                assert client.recv(15) == b"HTTP/1.1 200 OK", "it is taken before the next one asks"
            assert statement().status == 503, "no more are taken"
            assert service.call("GET", f"/account/{opened}").status == 200, "others are answered"
            assert service.call("POST", f"/account/{opened}/payment", {"amount": "1"}).status == 201
            wait_until(lambda: statement().status == 200, "those who do not read are cut off")
