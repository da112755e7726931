"""Whatever is sent, nothing is answered 5xx, and no exception is logged; with keys asked for, through both ways."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koshel.api_keys import LENGTH, digest_of, make
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from tests.conftest import TEMPLATE
from tests.support.fuzzing import PIECES, SETTINGS, Target, header_value, headers, json_values, open_target

DATABASE = "fuzzed"
STARTS = [
    *("GET /account/1", "GET /", "GET /health/ready", "GET /key?limit=2", "HEAD /docs", "GET /problem/x"),
    *("POST /account", "POST /account/1/payment", "POST /transaction", "POST /transaction/batch", "POST /key"),
    *("PATCH /account/1", "POST /transaction/1/capture", "DELETE /account/2/personal-data", "OPTIONS /account"),
]
WRITES = [one for one in STARTS if one.startswith(("POST", "PATCH"))]
PAYMENT = b'{"amount": "1"}'

fuzz = partial(settings, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Iterator[Target]:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)

    async def serve() -> AsyncIterator[Target]:
        async with open_target(cluster.url(embedded.SERVICE, DATABASE)) as target:
            yield target

    async def end() -> None:
        assert [one async for one in running] == []

    running = serve()
    target = loop.run_until_complete(anext(running))
    try:
        for _ in range(2):
            assert target.ask(target.request("POST /account", [], b'{"email": "ann@example.com"}')) == [201, 200]
        yield target
    finally:
        loop.run_until_complete(end())
        loop.close()
        asyncio.set_event_loop(None)


@pytest.mark.parametrize("name", sorted(PIECES))
def test_no_value_of_a_header_is_too_much(target: Target, name: str) -> None:
    @fuzz(max_examples=40)
    @given(start=st.sampled_from(STARTS), value=header_value(name))
    def send(start: str, value: str) -> None:
        target.ask(target.request(start, [(name, value)], PAYMENT if "POST" in start else b""))

    send()


@fuzz(max_examples=300)
@given(start=st.sampled_from(STARTS), lines=headers)
def test_nor_are_several_headers_together_or_one_twice(
    target: Target, start: str, lines: list[tuple[str, str]]
) -> None:
    target.ask(target.request(start, lines, PAYMENT if "POST" in start else b""))


@fuzz(max_examples=400)
@given(start=st.sampled_from(WRITES), body=json_values)
def test_no_json_is_too_much(target: Target, start: str, body: Any) -> None:
    target.ask(target.request(start, [], json.dumps(body).encode(errors="surrogatepass")))


@fuzz(max_examples=200)
@given(start=st.sampled_from(WRITES), body=st.binary(min_size=1, max_size=60), at=st.integers(0, 60))
def test_nor_are_any_bytes_alone_or_amid_json(target: Target, start: str, body: bytes, at: int) -> None:
    whole = b'{"amount": "1", "metadata": {"a": "b"}}'
    target.ask(target.request(start, [], body))
    target.ask(target.request(start, [], whole[:at] + body + whole[at:]))


@fuzz(max_examples=60)
@given(
    start=st.sampled_from(WRITES),
    size=st.sampled_from([0, 1, 2, 4_095, 4_096]) | st.integers(-3, 3).map(lambda n: SETTINGS.body_bytes_max + n),
    header=st.sampled_from([0, 1, 4_000, 4_096]) | st.integers(-40, 3).map(lambda n: SETTINGS.header_bytes_max + n),
)
def test_no_size_is_too_much(target: Target, start: str, size: int, header: int) -> None:
    body = (PAYMENT + b" " * size)[:size]
    target.ask(target.request(start, [("X-Request-Id", "a" * header)], body))


@fuzz(max_examples=150)
@given(query=st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="#"), max_size=40))
def test_no_path_and_no_query_is_too_much(target: Target, query: str) -> None:
    for start in (f"GET /account/{query}", f"GET /key?{query}", f"POST /transaction?dry_run={query}"):
        target.ask(target.request(start, [], PAYMENT if "POST" in start else b""))


@fuzz(max_examples=300)
@given(data=st.data())
def test_what_is_no_key_of_ours_is_refused_whoever_it_resembles(target: Target, data: st.DataObject) -> None:
    near = st.tuples(st.integers(0, LENGTH - 1), st.characters(min_codepoint=0x21, max_codepoint=0x7E)).map(
        lambda change: target.key[: change[0]] + change[1] + target.key[change[0] + 1 :]
    )
    cut = st.integers(0, LENGTH - 1).map(lambda length: target.key[:length])
    text = data.draw(
        st.one_of(near, cut, st.builds(make), st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x21)))
    )
    if text != target.key:
        assert digest_of(text) is None or len(text) == LENGTH
        assert target.ask(target.request("GET /account/1", [("Authorization", f"Bearer {text}")]))[0] == 401


def test_no_header_comes_twice_in_an_answer_with_a_key_in_it(target: Target) -> None:
    for start, body in (("POST /key", b'{"scope": "read"}'), ("POST /ledger", b'{"ledger": "shop"}')):
        assert target.ask(target.request(start, [], body)) == [201, 200]


def test_after_all_that_it_serves_as_before(target: Target) -> None:
    assert target.ask(target.request("POST /account/1/payment", [], PAYMENT)) == [201, 200]
    assert target.ask(target.request("GET /account/1", [])) == [200, 200]
