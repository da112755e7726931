import re

import pytest

from koshel.http.openapi import document
from koshel.http.problems import PROBLEMS
from koshel.http.routes import ROUTES
from tests.http.conftest import Send
from tests.support.service import Running


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_a_healthy_service_says_so(service: Running, path: str) -> None:
    answer = service.call("GET", path)
    assert (answer.status, answer.body) == (200, {"status": "ok"})


def test_the_queue_says_how_long_it_is(service: Running) -> None:
    queue = service.call("GET", "/health/queue")
    assert queue.status == 200
    assert {name: type(value) for name, value in queue.body.items()} == {
        "depth": int,
        "retrying": int,
        "oldest_age_s": float,
    }
    assert 0 <= queue.body["retrying"] <= queue.body["depth"]


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_is_described(service: Running, send: Send, code: str) -> None:
    known = PROBLEMS[code]
    described = service.call("GET", f"/problem/{code}").body
    assert described["code"] == code
    assert (described["status"], described["title"], described["retryable"]) == (
        known.status,
        known.title,
        known.retryable,
    )
    page = send("GET", f"/problem/{code}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert known.title in page.body.decode()


def test_the_api_describes_itself(service: Running) -> None:
    assert service.call("GET", "/openapi.json").body == document()


def test_the_docs_name_every_route_and_need_nothing_from_elsewhere(send: Send) -> None:
    page = send("GET", "/docs", headers={"Accept": "text/html"})
    text = page.body.decode()
    assert page.headers["Content-Type"].startswith("text/html")
    for route in ROUTES:
        assert f"<b>{route.method}</b><code>{route.path}</code>" in text
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", text)


def test_what_can_be_read_can_be_asked_for_its_head_alone(send: Send) -> None:
    whole = send("GET", "/health/live", headers={"Accept": "*/*"})
    head = send("HEAD", "/health/live", headers={"Accept": "*/*"})
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert send("HEAD", "/nowhere", headers={"Accept": "*/*"}).status == 404


@pytest.mark.parametrize("path", ["/health/live", "/docs", "/openapi.json"])
def test_no_reply_says_what_it_is_made_with(send: Send, path: str) -> None:
    answer = send("GET", path, headers={"Accept": "*/*"})
    assert answer.headers["Server"] == "koshel"
