"""A request has a span, whichever lane it takes, and the batch that carried it has one that is linked to it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from opentelemetry.trace import SpanKind, StatusCode

from koshel.callers import Caller, Scope
from koshel.http.connection import protocol
from koshel.http.connection.runner import Runner
from tests.support.database import Database
from tests.support.settled import query
from tests.support.traced import (
    CALLER,
    NOT_RECORDED,
    RECORDED,
    SETTINGS,
    STEPS,
    TRACE,
    Traced,
    ids,
    links,
    make_tracing,
    no_lease,
    open_traced,
    parents,
    said,
)
from tests.support.waiting import until
from tests.support.ways import post

BODY = b'{"amount": "1"}'
PAYMENT = "POST /account/{id}/payment"
# The connection that hears of keys is closed in order only once it is there.
LISTENS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
RUNNERS = {"express": Runner, "aiohttp": protocol.Runner}


@pytest.fixture(params=RUNNERS)
async def traced(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Traced]:
    async with open_traced(database.service_url, RUNNERS[request.param]) as traced:
        await traced.open(2)
        yield traced


def payment(*lines: str) -> bytes:
    return post("/account/1/payment", BODY, *lines)


async def test_the_span_of_a_request_says_what_was_asked_and_answered_and_nothing_of_whom(traced: Traced) -> None:
    answers = await traced.say(payment(RECORDED, "X-Request-Id: mine", "Idempotency-Key: secret"))
    (span,) = traced.spans(PAYMENT)
    (batch,) = traced.spans("settle")
    assert span.kind is SpanKind.SERVER
    assert span.status.status_code is StatusCode.UNSET
    assert said(span) == {
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "http.route": "/account/{id}/payment",
        "url.path": "/account/{id}/payment",
        "url.scheme": "http",
        "koshel.request.id": "mine",
        "koshel.ledger": "main",
        "koshel.batch.id": said(batch)["koshel.batch.id"],
    }
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, CALLER)
    assert parents(answers) == ["00-{}-{}-01".format(*ids(span))]
    assert ids(span)[0] == TRACE


async def test_a_batch_has_its_steps_and_is_linked_to_its_requests_and_they_to_it(traced: Traced) -> None:
    await traced.together(*[payment(RECORDED)] * 3)
    requests, batches = traced.spans(PAYMENT), traced.spans("settle")
    assert len(requests) == 3
    for batch in batches:
        carried = [one for one in requests if said(one)["koshel.batch.id"] == said(batch)["koshel.batch.id"]]
        assert batch.parent is None
        assert sorted(links(batch)) == sorted(map(ids, carried))
        assert [links(one) for one in carried] == [[ids(batch)]] * len(carried)
        assert said(batch)["koshel.batch.commands"] == len(carried)
        steps = [one for one in traced.spans() if one.parent == batch.context]
        assert [one.name for one in steps] == STEPS
        times = [(one.start_time or 0, one.end_time or 0) for one in steps]
        assert [began for began, _ in times[1:]] == [ended for _, ended in times[:-1]]
        assert (batch.start_time or 0) <= times[0][0] < times[-1][1] == batch.end_time
    assert sum(len(one.links) for one in batches) == 3


async def test_a_request_without_a_parent_begins_a_trace_and_the_answer_says_which(traced: Traced) -> None:
    (answered,) = parents(await traced.say(payment()))
    (span,) = traced.spans(PAYMENT)
    assert span.parent is None
    assert re.fullmatch(r"00-{}-{}-0[13]".format(*ids(span)), answered)


async def test_what_the_caller_does_not_record_is_not_recorded_here_and_stays_in_its_trace(traced: Traced) -> None:
    (answered,) = parents(await traced.say(payment(NOT_RECORDED)))
    assert re.fullmatch(rf"00-{TRACE}-(?!{CALLER})[0-9a-f]{{16}}-00", answered)
    assert traced.spans() == []


async def test_a_batch_is_recorded_if_one_of_its_requests_is_and_linked_to_those_only(database: Database) -> None:
    async with open_traced(database.service_url) as traced:
        await traced.open()
        await traced.together(payment(NOT_RECORDED), *[payment(NOT_RECORDED)] * 5, payment(RECORDED))
        (request,) = traced.spans(PAYMENT)
        (batch,) = traced.spans("settle")
    assert links(batch) == [ids(request)]


@pytest.mark.parametrize(
    ("sent", "status", "name", "code"),
    [
        (
            post("/account/1/withdrawal", b'{"amount": "100"}'),
            409,
            "POST /account/{id}/withdrawal",
            "insufficient-funds",
        ),
        (post("/account/1/payment", b'{"amount": "x"}'), 422, PAYMENT, "validation-failed"),
        (b"GET /account/99 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404, "GET /account/{id}", "account-not-found"),
        (b"GET /ann@example.com HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404, "GET", "not-found"),
        (b"PROPFIND /account HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405, "HTTP", "method-not-allowed"),
    ],
)
async def test_a_refusal_is_no_error_of_the_service(
    traced: Traced, sent: bytes, status: int, name: str, code: str
) -> None:
    answers = await traced.say(sent)
    (span,) = traced.spans(name)
    assert span.status.status_code is StatusCode.UNSET
    assert (said(span)["http.response.status_code"], said(span)["koshel.problem.code"]) == (status, code)
    assert not re.search("example|PROPFIND", span.to_json())
    assert len(parents(answers)) == 1


async def test_a_fault_is_an_error_with_the_problem_s_code(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koshel.db.store.lease", no_lease)
    await traced.say(payment(RECORDED))
    (span,) = traced.spans(PAYMENT)
    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["error.type"] == said(span)["koshel.problem.code"]
    (batch,) = [one for one in traced.spans("settle") if one.links]
    assert batch.status.status_code is StatusCode.ERROR


async def test_a_caller_with_a_key_is_told_by_the_key_s_public_id() -> None:
    tracing, exporter = make_tracing()
    request = tracing.request("HEAD", "GET /account/{id}", None, None)
    request.end(200, None, "a-1", Caller(7, "shop", Scope.WRITE, "3"), None)
    (span,) = exporter.get_finished_spans()
    assert span.name == "HEAD /account/{id}"
    assert (said(span)["koshel.ledger"], said(span)["koshel.key.id"]) == ("shop", "3")


@pytest.mark.parametrize("state", ["congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "not valid", "a=" + "b" * 511, "", None])
async def test_a_tracestate_is_kept_if_it_is_valid_and_not_too_long(state: str | None) -> None:
    tracing, _ = make_tracing()
    request = tracing.request("GET", "none", f"00-{TRACE}-{CALLER}-01", state)
    is_kept = state is not None and state.startswith("congo")
    assert request.span is not None
    assert request.span.get_span_context().trace_state.to_header() == (state if is_kept else "")
    assert request.id == TRACE


async def test_a_queued_transaction_has_a_batch_when_it_is_queued_and_another_one_when_it_is_executed(
    database: Database,
) -> None:
    async with open_traced(database.service_url) as traced:
        await traced.open()
        assert b"202 Accepted" in await traced.say(payment(RECORDED, "Prefer: respond-async"))
        assert b"201 Created" in await traced.say(payment(RECORDED, "Prefer: respond-async, wait=5"))
        await until(lambda: any("koshel.batch.claim" in said(one) for one in traced.spans("settle")), "it is executed")
    batches = {said(one)["koshel.batch.id"]: one for one in traced.spans("settle")}
    for request in traced.spans(PAYMENT):
        assert ids(request) in links(batches[said(request)["koshel.batch.id"]])
    background = [one for one in batches.values() if "koshel.batch.claim" in said(one)]
    assert {said(one)["koshel.batch.claim"] for one in background} == {"queued"}
    assert [one.links for one in background] == [()] * len(background)


async def test_the_members_of_a_batch_request_are_counted_and_a_dry_run_is_no_batch(database: Database) -> None:
    async with open_traced(database.service_url) as traced:
        await traced.open(2)
        member = {"source_account_id": 1, "target_account_id": 2, "amount": "1"}
        body = json.dumps({"transactions": [member] * 3, "atomic": False}).encode()
        await traced.say(post("/transaction/batch", body, RECORDED))
        await traced.say(post("/transaction/batch?dry_run=true", body, RECORDED))
        (batch,) = traced.spans("settle")
        first, second = traced.spans("POST /transaction/batch")
    assert said(batch)["koshel.batch.commands"] == 3
    assert links(first) == [ids(batch)]
    assert links(second) == []


@pytest.mark.parametrize("lane", RUNNERS)
async def test_who_is_not_known_has_a_span_that_says_so_and_whose_ledger_it_is_not(
    database: Database, lane: str
) -> None:
    async with open_traced(database.service_url, RUNNERS[lane], replace(SETTINGS, auth="keys")) as traced:
        answers = await traced.say(payment(RECORDED), payment(RECORDED, "Authorization: Bearer nonsense"))
        assert answers.count(b"401 Unauthorized") == len(parents(answers)) == 2
        for span in traced.spans(PAYMENT):
            assert said(span)["koshel.problem.code"] == "unauthorized"
            assert not {"koshel.ledger", "koshel.key.id", "koshel.batch.id"} & said(span).keys()
        assert len(traced.spans(PAYMENT)) == 2
        assert traced.spans("settle") == []
        await until(lambda: bool(query(database, LISTENS)), "it hears of changes of keys")


async def test_a_caller_who_hangs_up_has_no_span_and_the_others_of_the_batch_have_theirs(traced: Traced) -> None:
    connection, wire = await traced.connect()
    connection.data_received(payment(RECORDED))
    await asyncio.sleep(0)
    wire.close()
    await asyncio.gather(*(traced.say(payment(RECORDED)) for _ in range(3)))
    assert len(traced.spans(PAYMENT)) == 3
    assert {ids(one) for one in traced.spans(PAYMENT)} <= {
        one for batch in traced.spans("settle") for one in links(batch)
    }


@pytest.mark.parametrize(
    ("sampler", "flags", "is_recorded"),
    [
        ("parentbased_always_on", "00", False),
        ("parentbased_always_off", "01", True),
        ("parentbased_traceidratio", "02", False),
        ("parentbased_traceidratio", "03", True),
        ("always_on", "00", True),
        ("always_off", "01", False),
        ("traceidratio", "00", True),
    ],
)
def test_the_sampler_says_whether_the_caller_decides(
    monkeypatch: pytest.MonkeyPatch, sampler: str, flags: str, *, is_recorded: bool
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
    request = make_tracing()[0].request("GET", "none", f"00-{TRACE}-{CALLER}-{flags}", None)
    assert (request.span is not None) == is_recorded
    is_random = int(flags, 16) & 2
    assert re.fullmatch(
        rf"traceparent: 00-{TRACE}-(?!0{{16}}|{CALLER})[0-9a-f]{{16}}-0{is_recorded | is_random}\r\n", request.header
    )
