"""Who may do what: every route for every scope, and keys that are none, in both lanes."""

import asyncio
import json
import socket
import statistics
import time
from http.client import HTTPConnection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koshel import api_keys
from koshel.callers import Scope
from koshel.db.access.api_keys import NewKey
from koshel.http.handlers.routes import ROUTES
from koshel.http.rests import REST_S
from koshel.http.route import Route
from tests.support.keyed import OTHER_LANE, Client, Keyed, Said, bearer, code, headers_of, new_key, revoke

PAYMENT = b'{"amount": "1"}'


def send(client: Client, route: Route, *headers: tuple[str, str]) -> Said:
    """What is wrong with it otherwise is said later: no id of the path is there, and no body has what it needs."""
    path = route.path.replace("{id}", "999999").replace("{code}", "not-found")
    body = None if route.body is None else b"{}"
    return client.ask(route.method, path, body, *headers)


@pytest.mark.parametrize("scope", [None, *Scope])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_is_for_those_whose_scope_includes_its_own(
    keyed: Keyed, client: Client, route: Route, scope: Scope | None
) -> None:
    said = send(client, route, *([] if scope is None else [bearer(keyed.keys[scope].text)]))
    if route.scope is None:
        assert said.status not in {401, 403}
    elif scope is None:
        assert (said.status, code(said)) == (401, "unauthorized")
        assert headers_of(said)["WWW-Authenticate"] == 'Bearer realm="koshel"'
    elif not isinstance(route.scope, Scope) or not scope.includes(route.scope):
        assert (said.status, code(said)) == (403, "forbidden")
        assert json.loads(said.body)["scope"] == route.scope
        assert f'scope="{route.scope}"' in headers_of(said)["WWW-Authenticate"]
    else:
        assert said.status not in {401, 403}, said


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_what_concerns_the_service_is_for_the_operator(keyed: Keyed, client: Client, route: Route) -> None:
    said = send(client, route, bearer(keyed.of_shop.text))
    assert (said.status == 403) == route.is_for_operator


def wrong(key: str) -> dict[str, list[tuple[str, str]]]:
    other = "0" if key[-1] != "0" else "1"
    return {
        "absent": [],
        "empty": [("Authorization", "")],
        "without a scheme": [("Authorization", key)],
        "of another scheme": [("Authorization", f"Basic {key}")],
        "without a key": [("Authorization", "Bearer")],
        "with a blank for a key": [("Authorization", "Bearer  ")],
        "misspelt": [bearer(key[:-1] + other)],
        "cut": [bearer(key[:-1])],
        "with more behind it": [bearer(key + " " + key)],
        "in capitals": [bearer(key.upper())],
        "not ASCII": [bearer("ключ".encode().decode("latin1"))],
        "unknown": [bearer(api_keys.make())],
        "twice": [bearer(key), bearer(key)],
        "twice, once in small letters": [bearer(key), ("authorization", f"Bearer {key}")],
        "long": [bearer("a" * 3_000)],
        "a token of another kind": [bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.")],
    }


@pytest.mark.parametrize("name", wrong("k"))
def test_a_wrong_key_is_refused_alike_in_both_lanes(keyed: Keyed, client: Client, name: str) -> None:
    headers = wrong(keyed.keys[Scope.ADMIN].text)[name]
    plain = [client.ask("POST", "/account/1/payment", PAYMENT, *headers) for _ in range(3)]
    other = [client.ask("POST", "/account/1/payment", PAYMENT, *headers, *OTHER_LANE.items()) for _ in range(2)]
    read = client.ask("GET", "/account/1", None, *headers)
    assert [one.status for one in (*plain, *other, read)] == [401] * 6
    assert len({*plain, *other, read}) == 1
    assert code(read) == "unauthorized"
    assert "koshel_live_" not in read.body.decode().replace("Bearer koshel_live_…", "")


TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=90)
TOKENS = st.one_of(TEXTS, st.from_regex(r"koshel_live_[0-9A-Za-z]{40,55}", fullmatch=True), st.builds(api_keys.make))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scheme=st.one_of(TEXTS, st.sampled_from(["Bearer ", "bearer  ", "Bearer"])), token=TOKENS)
def test_whatever_is_sent_for_a_key_is_refused_alike_in_both_lanes(client: Client, scheme: str, token: str) -> None:
    header = "Authorization", scheme + token
    first, again = (client.ask("POST", "/account/1/payment", PAYMENT, header) for _ in range(2))
    other = client.ask("POST", "/account/1/payment", PAYMENT, header, *OTHER_LANE.items())
    assert first == again == other
    assert first.status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@pytest.mark.parametrize("lane", [{}, OTHER_LANE])
def test_a_right_key_is_taken_however_its_header_is_written(
    keyed: Keyed, client: Client, scheme: str, name: str, lane: dict[str, str]
) -> None:
    key = keyed.keys[Scope.WRITE].text
    for _ in range(2):  # the second time it is remembered
        said = client.ask("POST", "/account/999999/payment", PAYMENT, (name, f"{scheme} {key}"), *lane.items())
        assert code(said) == "account-not-found"


@pytest.mark.parametrize("form", ["?key={}", "?access_token={}", "?{}", "?x=%6boshel_live_{}"])
def test_a_key_in_the_query_is_refused_though_it_is_right(keyed: Keyed, client: Client, form: str) -> None:
    key = keyed.keys[Scope.ADMIN].text
    path = "/account/1" + form.format(key.removeprefix("koshel_live_") if "%6b" in form else key)
    said = client.ask("GET", path, None, bearer(key))
    assert (said.status, code(said)) == (401, "unauthorized")
    assert "rotate" in json.loads(said.body)["detail"]
    assert key not in said.body.decode()


def test_a_revoked_and_an_expired_key_are_told_so(keyed: Keyed, client: Client) -> None:
    async def make() -> list[NewKey]:
        revoked, expired = await new_key(keyed.url, "write"), await new_key(keyed.url, "write", lasts_s=1)
        await revoke(keyed.url, revoked)
        await asyncio.sleep(1.1)  # what is waited for is the clock itself
        return [revoked, expired]

    for key, detail in zip(asyncio.run(make()), ["was revoked", "has expired"], strict=True):
        for lane in ({}, {}, OTHER_LANE):
            said = client.ask("POST", "/account/1/payment", PAYMENT, bearer(key.text), *lane.items())
            assert said.status == 401
            assert detail in json.loads(said.body)["detail"]
            assert headers_of(said)["WWW-Authenticate"] == 'Bearer realm="koshel", error="invalid_token"'


def test_who_is_not_known_is_refused_before_the_body_is_looked_at(client: Client) -> None:
    for body in (b"{", b'{"amout": 1}', b""):
        assert client.ask("POST", "/account/1/payment", body).status == 401
    assert client.ask("POST", "/account/1/payment", PAYMENT, ("Content-Encoding", "gzip")).status == 401


def test_paths_and_methods_that_are_none_are_said_without_a_key(client: Client) -> None:
    assert code(client.ask("GET", "/nothing")) == "not-found"
    assert code(client.ask("DELETE", "/account")) == "method-not-allowed"


def test_a_head_of_http_that_is_no_key_ends_nothing(keyed: Keyed) -> None:
    connection = HTTPConnection("127.0.0.1", keyed.service.port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/account/1/payment", PAYMENT, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        assert (reply.status, reply.read()[:1]) == (401, b"{")
    connection.close()


def test_a_wrong_key_does_not_hold_up_who_sends_a_right_one_over_the_same_connection(keyed: Keyed) -> None:
    head = "POST /account/999999/payment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    wrong, right = "koshel_live_" + "0" * 49, keyed.keys[Scope.WRITE].text

    def request(key: str) -> bytes:
        return f"{head}Authorization: Bearer {key}\r\nContent-Length: {len(PAYMENT)}\r\n\r\n".encode() + PAYMENT

    with socket.create_connection(("127.0.0.1", keyed.service.port), timeout=30) as proxy:

        def ask(key: str) -> bytes:
            proxy.sendall(request(key))
            received = b""
            while not received.endswith(b"}\n"):
                received += proxy.recv(65_536)
            return received

        took = []
        for _ in range(9):
            assert b" 401 " in ask(wrong)
            began = time.perf_counter()
            assert b" 404 " in ask(right)
            took.append(time.perf_counter() - began)
    assert statistics.median(took) < REST_S
