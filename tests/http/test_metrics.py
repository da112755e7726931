"""`GET /metrics`: its forms, and what it says where there is little to say."""

import re
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from koshel.callers import Reason
from koshel.core.commands import Kind
from koshel.core.model import Refusal
from koshel.http.handlers.routes import ROUTES
from koshel.http.limits import Policy
from koshel.http.problems import PROBLEMS
from koshel.telemetry import metrics
from koshel.telemetry.tally import NAME_CELLS, Asked, Counter, Histogram, Number
from tests.http.conftest import Send
from tests.support import generate
from tests.support.database import Database
from tests.support.scraped import scrape
from tests.support.service import Running, free_port, serving, waiting

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text"
ASKED = [one.name for one in metrics.TABLE if isinstance(one, Asked)]
UNITS = ("seconds", "bytes")


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "application/json", "text/plain;version=0.0.4", ";;,="])
def test_whoever_asks_for_nothing_better_gets_prometheus_own_text(service: Running, accept: str) -> None:
    scraped = scrape(service, accept)
    assert scraped.headers["Content-Type"] == TEXT
    assert scraped.headers["Cache-Control"] == "no-store"
    assert scraped.headers["Vary"] == "Accept"
    assert scraped.text.endswith("\n")


def test_openmetrics_is_there_for_who_asks_for_it(send: Send) -> None:
    accept = f"{OPENMETRICS};version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = send("GET", "/metrics", headers={"Host": "127.0.0.1", "Accept": accept})
    assert answer.headers["Content-Type"].startswith(f"{OPENMETRICS}; version=1.0.0")
    text = answer.body.decode()
    assert text.endswith("# EOF\n")
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    assert {one.name for one in families} >= {"koshel_http_requests", "koshel_lanes"}


def test_every_metric_of_the_table_is_there_with_its_type_its_text_and_its_labels(service: Running) -> None:
    service.call("POST", "/account", {"email": "ann@example.com"})
    scraped = scrape(service)
    assert {one.name.removesuffix("_total") for one in metrics.TABLE} == scraped.families.keys()
    for one in metrics.TABLE:
        family = scraped.families[one.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (one.kind, one.text)
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(one.labels)


@pytest.mark.parametrize("one", metrics.TABLE, ids=lambda one: one.name)
def test_a_metric_is_named_by_the_rules(one: Number) -> None:
    assert re.fullmatch(r"koshel_[a-z]+(_[a-z]+)*", one.name)
    assert one.name.endswith("_total") == (one.kind == "counter")
    base = one.name.removesuffix("_total")
    assert not base.endswith(("_count", "_sum", "_bucket", "_created", "_milliseconds", "_ms", "_kilobytes"))
    if isinstance(one, Histogram):
        assert [*one.bounds] == sorted(set(one.bounds))
        assert base.endswith((*UNITS, "commands"))
    assert all(
        re.fullmatch(r"[a-z]+", label) and label not in {"le", "quantile", "job", "instance"} for label in one.labels
    )
    assert one.text.endswith(".")
    assert "\n" not in one.text
    assert "|" not in one.text


def test_there_is_room_for_every_route_and_every_status() -> None:
    longest = max(len(f"{route.label}\n500") for route in ROUTES)
    assert longest <= NAME_CELLS * 8
    assert metrics.REQUEST_SECONDS.most > 2 * len(ROUTES)
    assert metrics.REQUESTS.most > 8 * len(ROUTES)


def test_the_page_lists_what_the_table_has() -> None:
    assert generate.METRICS.read_text() == generate.metrics_text(), "run `make docs`"


def test_a_counter_begins_at_zero_for_each_value_of_its_label(database: Database) -> None:
    """What is first seen at 1 has not grown: an alert on the first internal error would not fire."""
    known = {
        "koshel_http_problems_total": PROBLEMS,
        "koshel_keys_refused_total": [*get_args(Reason), "scope"],
        "koshel_rate_limited_total": get_args(Policy),
        "koshel_transactions_total": Kind,
        "koshel_refusals_total": Refusal,
        "koshel_http_connections_closed_total": ["room", "unread"],
        "koshel_settled_again_total": get_args(metrics.Cause),
        "koshel_log_lines_dropped_total": ["stdout", "stderr"],
    }
    by_label = [one.name for one in metrics.TABLE if isinstance(one, Counter) and one.labels]
    assert {*by_label} - {"koshel_http_requests_total"} == known.keys()
    with serving(database.service_url, workers="2") as service:
        families = scrape(service).families
    for name, values in known.items():
        samples = [one for one in families[name.removesuffix("_total")].samples if one.name == name]
        assert {value for one in samples for value in one.labels.values()} == set(values)
        assert {one.value for one in samples} == {0.0}


def test_both_lanes_count_alike(service: Running) -> None:
    def counted() -> tuple[float, ...]:
        now = scrape(service)
        route = "POST /account/{id}/withdrawal"
        return (
            now.value("koshel_http_requests_total", route=route, status="404"),
            now.value("koshel_http_request_duration_seconds_count", route=route),
            now.value("koshel_http_problems_total", code="account-not-found"),
            now.value("koshel_refusals_total", code="account-not-found"),
        )

    start = counted()
    service.call("POST", "/account/987654321/withdrawal", {"amount": "1"})
    express = counted()
    service.call("POST", "/account/987654321/withdrawal", {"amount": "1"}, X_Odd="not plain")
    both = counted()
    assert [b - a for a, b in zip(start, express, strict=True)] == [1] * 4
    assert [b - a for a, b in zip(express, both, strict=True)] == [1] * 4


def test_a_path_that_a_caller_made_up_is_no_label(service: Running, send: Send) -> None:
    for path in ("/made-up-by-somebody", "/account/1/made-up", "/transaction/7/made-up"):
        assert send("GET", path, headers={"Host": "127.0.0.1"}).status == 404
    send("MADE-UP", "/account", headers={"Host": "127.0.0.1"})
    assert "made-up" not in scrape(service).text.lower()


def test_what_is_no_http_counts_as_no_route(service: Running, send: Send) -> None:
    before = scrape(service).value("koshel_http_requests_total", route="none", status="400")
    assert send("GET", "/account/1", headers={"No Header": "x"}).status == 400
    assert scrape(service).value("koshel_http_requests_total", route="none", status="400") == before + 1


def test_where_metrics_are_off_there_are_none(database: Database) -> None:
    with serving(database.service_url, workers="1", metrics="off") as service:
        answer = service.call("GET", "/metrics")
        assert (answer.status, answer.body["code"]) == (404, "not-found")


def test_while_the_database_is_away_that_is_said(tmp_path: Path) -> None:
    nowhere = f"postgresql://koshel@127.0.0.1:{free_port()}/koshel"
    with waiting(nowhere, tmp_path / "log", workers="1", auth="off") as service:
        scraped = scrape(service)
    assert scraped.value("koshel_database_up") == 0
    assert scraped.value("koshel_workers") == 1
    said = {one for one in ASKED if scraped.families[one].samples}
    assert said == {"koshel_database_up", "koshel_build_info"}


def test_while_it_is_there_all_that_is_asked_of_it_is_said(service: Running) -> None:
    scraped = scrape(service)
    assert [one for one in ASKED if not scraped.families[one].samples] == []
