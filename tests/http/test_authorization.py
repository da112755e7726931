"""Who may do what: every route for every scope, and keys that are none, in both lanes."""

import asyncio
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any, NamedTuple

import pytest

from koshel import api_keys
from koshel.callers import Scope
from koshel.db.api_keys import NewKey
from koshel.db.embedded import Cluster
from koshel.http.route import Route
from koshel.http.routes import ROUTES
from tests.support.clone import cloned
from tests.support.keyed import OTHER_LANE, Client, Said, bearer, headers_of, new_key, new_ledger, revoke
from tests.support.service import Running, serving

PAYMENT = b'{"amount": "1"}'


class Keyed(NamedTuple):
    """A service that asks for keys, its database, and keys of each scope."""

    service: Running
    url: str
    keys: dict[Scope, NewKey]
    of_shop: NewKey  # of scope admin
    shop_id: int


@pytest.fixture(scope="module")
def keyed(cluster: Cluster) -> Iterator[Keyed]:
    with cloned(cluster, "authorization_tests") as database:
        url = database.service_url

        async def make() -> tuple[dict[Scope, NewKey], NewKey, int]:
            shop = await new_ledger(url, "shop")
            keys = {scope: await new_key(url, scope) for scope in Scope}
            return keys, await new_key(url, Scope.ADMIN, ledger_id=shop.id), shop.id

        made = asyncio.run(make())
        with serving(url, workers="2") as service:
            yield Keyed(service, url, *made)


@pytest.fixture
def client(keyed: Keyed) -> Iterator[Client]:
    client = Client(keyed.service.port)
    yield client
    client.close()


def code(said: Said) -> str:
    return str(json.loads(said.body)["code"])


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


@pytest.mark.parametrize("path", ["/key", "/key/1/rotate", "/ledger"])
def test_what_has_a_key_in_its_answer_takes_no_idempotency_key(keyed: Keyed, client: Client, path: str) -> None:
    said = client.ask("POST", path, b"{}", bearer(keyed.keys[Scope.ADMIN].text), ("Idempotency-Key", "one"))
    assert (said.status, code(said)) == (422, "validation-failed")
    assert json.loads(said.body)["errors"][0]["header"] == "Idempotency-Key"


def asked(keyed: Keyed, method: str, path: str, body: Any = None, scope: Scope = Scope.ADMIN) -> Any:
    return keyed.service.call(method, path, body, Authorization=f"Bearer {keyed.keys[scope].text}")


def test_the_life_of_a_key_over_http(keyed: Keyed) -> None:
    made = asked(keyed, "POST", "/key", {"scope": "read", "name": "report", "expires_in": 3_600})
    assert made.status == 201
    assert made.headers["Cache-Control"] == "no-store"
    shown = {name: value for name, value in made.body.items() if name != "key"}
    assert asked(keyed, "GET", made.headers["Location"]).body == shown
    rotated = asked(keyed, "POST", f"/key/{shown['id']}/rotate", {"overlap": 0})
    assert (rotated.body["name"], rotated.body["scope"]) == ("report", "read")
    assert asked(keyed, "GET", f"/key/{shown['id']}").body["status"] == "expired"
    assert asked(keyed, "POST", f"/key/{shown['id']}/rotate", {}).body["code"] == "key-not-usable"
    for _ in range(2):
        assert asked(keyed, "DELETE", f"/key/{rotated.body['id']}").status == 204
    assert asked(keyed, "GET", f"/key/{rotated.body['id']}").body["status"] == "revoked"


def test_keys_are_listed_a_page_at_a_time(keyed: Keyed) -> None:
    seen, path = [], "/key?limit=2"
    while path:
        page = asked(keyed, "GET", path).body
        assert len(page["items"]) <= 2
        seen += [one["id"] for one in page["items"]]
        path = page["next"] and f"/key?limit=2&after={page['next']}"
    assert seen == sorted(seen, reverse=True)
    assert seen == [one["id"] for one in asked(keyed, "GET", "/key?limit=500").body["items"]]
    assert "koshel_live_" not in str(asked(keyed, "GET", "/key").body)


@pytest.mark.parametrize("id_", ["999999", "abc", "0", "-1", "9" * 30])
def test_a_key_that_is_not_there_is_said(keyed: Keyed, id_: str) -> None:
    for method, path, body in (("GET", "", None), ("DELETE", "", None), ("POST", "/rotate", {})):
        assert asked(keyed, method, f"/key/{id_}{path}", body).body["code"] == "key-not-found"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/scope"),
        ({"scope": "owner"}, "/scope"),
        ({"scope": "read", "name": "x" * 101}, "/name"),
        ({"scope": "read", "name": "a\x1b[31mb"}, "/name"),
        ({"scope": "read", "expires_in": 0}, "/expires_in"),
        ({"scope": "read", "expires_in": 2**62}, "/expires_in"),
        ({"scope": "read", "ledger": "shop"}, "/ledger"),
    ],
)
def test_a_key_that_cannot_be_made_is_said_by_its_field(keyed: Keyed, body: Any, pointer: str) -> None:
    said = asked(keyed, "POST", "/key", body)
    assert said.status == 422
    assert said.body["errors"][0]["pointer"] == pointer


def test_the_last_admin_key_is_not_revoked_over_http(keyed: Keyed) -> None:
    bearer_of_shop = f"Bearer {keyed.of_shop.text}"
    said = keyed.service.call("DELETE", f"/key/{keyed.of_shop.row.id}", Authorization=bearer_of_shop)
    assert (said.status, said.body["code"]) == (409, "last-admin-key")
    assert keyed.service.call("GET", "/ledger", Authorization=bearer_of_shop).body["ledger"] == "shop"


@pytest.mark.parametrize("name", ["", "Shop", "a b", "a/b", "café", "x" * 65, "shop\n", "a.b", "@shop", 7, None])
def test_a_ledger_with_an_odd_name_is_not_made(keyed: Keyed, name: Any) -> None:
    for method in ("POST", "PATCH"):
        said = asked(keyed, method, "/ledger", {"ledger": name})
        assert said.status == 422
        assert said.body["errors"][0]["pointer"] == "/ledger"


def test_a_ledger_is_made_with_a_key_and_renamed_by_it(keyed: Keyed) -> None:
    made = asked(keyed, "POST", "/ledger", {"ledger": "bank-1_x"})
    assert made.status == 201
    assert asked(keyed, "POST", "/ledger", {"ledger": "bank-1_x"}).body["code"] == "ledger-name-taken"
    own = {"Authorization": f"Bearer {made.body['key']['key']}"}
    assert keyed.service.call("PATCH", "/ledger", {"ledger": "main"}, **own).body["code"] == "ledger-name-taken"
    assert keyed.service.call("PATCH", "/ledger", {"ledger": "bank-2"}, **own).body["ledger"] == "bank-2"
    assert asked(keyed, "PATCH", "/ledger", {"ledger": "first"}).body["errors"][0]["pointer"] == "/ledger"


def test_a_head_of_http_that_is_no_key_ends_nothing(keyed: Keyed) -> None:
    connection = HTTPConnection("127.0.0.1", keyed.service.port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/account/1/payment", PAYMENT, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        assert (reply.status, reply.read()[:1]) == (401, b"{")
    connection.close()
