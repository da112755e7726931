"""Requests with a JWT, over two workers and both lanes, with an issuer on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from koshel.callers import Scope
from koshel.db.access import ledgers
from koshel.db.server.embedded import Cluster
from koshel.db.starting import once
from koshel.http.handlers.routes import ROUTES
from koshel.http.route import Route
from tests.support.clone import cloned
from tests.support.jwt_issuer import AUDIENCE, ISSUER, JwksServer, jwks_server, rsa_signer
from tests.support.keyed import OTHER_LANE, Client, Said, bearer, code, headers_of, new_key, new_ledger
from tests.support.launch import serving_into
from tests.support.scraped import scrape
from tests.support.service import Running
from tests.support.waiting import wait_until
from tests.support.wrong_jwts import OURS, WRONG

NOT_YOURS = "JWTs name ledgers here, so only the operator renames one: `koshel ledger rename OLD …`."
PAYMENT = b'{"amount": "1"}'


class Vouched(NamedTuple):
    """A service that takes JWTs, who issues them, and what it logs."""

    service: Running
    url: str
    issuer: JwksServer
    out: Path


@pytest.fixture(scope="module")
def vouched(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vouched]:
    with cloned(cluster, "jwt_tests") as database, jwks_server() as issuer:
        issuer.signers = [OURS, rsa_signer()]
        settings = {
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "jwt_keys": f"{issuer.url}/keys",
            "header_bytes_max": "20000",
            "log_format": "json",
            "access_log": "true",
        }
        folder = tmp_path_factory.mktemp("jwt")
        with serving_into(folder, database.service_url, **settings) as (service, out, _):
            client = Client(service.port)
            admin = bearer(OURS.sign(scope="koshel:admin"))
            for name in ("Ann", "Bob"):
                body = json.dumps({"email": "ann@example.com", "metadata": {"name": name}}).encode()
                assert client.ask("POST", "/account", body, admin).status == 201
            client.close()
            yield Vouched(service, database.service_url, issuer, out)


@pytest.fixture
def client(vouched: Vouched) -> Iterator[Client]:
    client = Client(vouched.service.port)
    yield client
    client.close()


async def rename(url: str, name: str, new_name: str) -> None:
    """As the operator does, on the command line."""
    found = await once.transact(url, lambda connection, q: ledgers.find(connection, q, name))
    assert found is not None
    await once.transact(url, lambda connection, q: ledgers.rename(connection, q, found.id, new_name))


def detail(said: Said) -> str:
    return str(json.loads(said.body)["detail"])


@pytest.mark.parametrize("lane", [{}, OTHER_LANE])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_right_one_is_taken_in_both_lanes(client: Client, lane: dict[str, str], scheme: str) -> None:
    token = OURS.sign()
    for _ in range(3):  # from the second time on it is remembered
        header = "Authorization", f"{scheme} {token}"
        assert client.ask("POST", "/account/1/payment", PAYMENT, header, *lane.items()).status == 201


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_refused_alike_in_both_lanes(client: Client, name: str) -> None:
    _, make = WRONG[name]
    header = bearer(make())
    plain = [client.ask("POST", "/account/1/payment", PAYMENT, header) for _ in range(3)]
    other = [client.ask("POST", "/account/1/payment", PAYMENT, header, *OTHER_LANE.items()) for _ in range(2)]
    read = client.ask("GET", "/account/1", None, header)
    assert [one.status for one in (*plain, *other, read)] == [401] * 6
    assert len({*plain, *other, read}) == 1
    assert code(read) == "unauthorized"
    assert headers_of(read)["WWW-Authenticate"] == 'Bearer realm="koshel", error="invalid_token"'
    assert "JWT" in detail(read)


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_is_for_those_whose_scope_includes_its_own(client: Client, route: Route, scope: Scope) -> None:
    path = route.path.replace("{id}", "999999").replace("{code}", "not-found")
    body = None if route.body is None else b"{}"
    said = client.ask(route.method, path, body, bearer(OURS.sign(scope=f"koshel:{scope}")))
    if isinstance(route.scope, Scope) and not scope.includes(route.scope):
        assert (said.status, code(said)) == (403, "forbidden")
    else:
        assert said.status not in {401, 403}, said


async def test_an_api_key_is_taken_beside_it_and_nobody_without_either(vouched: Vouched, client: Client) -> None:
    assert code(client.ask("GET", "/account/1")) == "unauthorized"
    key = await new_key(vouched.url, "write")
    assert client.ask("GET", "/account/1", None, bearer(key.text)).status == 200


async def test_one_sees_its_own_ledger_and_no_other(vouched: Vouched, client: Client) -> None:
    unknown = client.ask("GET", "/account/1", None, bearer(OURS.sign(koshel_ledger="stall")))
    assert (unknown.status, detail(unknown)) == (401, "This JWT names no ledger that is here.")
    await new_ledger(vouched.url, "stall-2")
    there = bearer(OURS.sign(koshel_ledger="stall-2", scope="koshel:admin"))
    assert code(client.ask("GET", "/account/1", None, there)) == "account-not-found"
    assert code(client.ask("POST", "/account/1/payment", PAYMENT, there)) == "account-not-found"
    assert code(client.ask("GET", "/metrics", None, there)) == "forbidden", "it is no operator"


async def test_a_ledger_that_is_renamed_ends_what_names_it_by_its_old_name(vouched: Vouched, client: Client) -> None:
    await new_ledger(vouched.url, "kiosk")
    header = bearer(OURS.sign(koshel_ledger="kiosk", scope="koshel:admin"))
    assert client.ask("GET", "/health/queue", None, header).status == 200
    await rename(vouched.url, "kiosk", "kiosk-2")
    wait_until(lambda: client.ask("GET", "/health/queue", None, header).status == 401, "this worker's word")
    assert detail(client.ask("GET", "/health/queue", None, header)) == "This JWT names no ledger that is here."
    after = bearer(OURS.sign(koshel_ledger="kiosk-2", scope="koshel:admin"))
    assert client.ask("GET", "/health/queue", None, after).status == 200


async def test_an_admin_takes_no_name_that_a_jwt_may_have_and_learns_of_none(vouched: Vouched, client: Client) -> None:
    """Former names, names of ledgers that are not made yet, those of others, its own: all are answered alike."""
    booth, *_ = [await new_ledger(vouched.url, name) for name in ("booth", "acme-corp", "bank")]
    await rename(vouched.url, "acme-corp", "acme")
    key = await new_key(vouched.url, "admin", ledger_id=booth.id)
    by_jwt = bearer(OURS.sign(koshel_ledger="booth", scope="koshel:admin"))
    for header in (bearer(key.text), by_jwt):
        for name in ("acme-corp", "not-made-yet", "bank", "main", "booth"):
            said = client.ask("PATCH", "/ledger", json.dumps({"ledger": name}).encode(), header)
            assert (said.status, code(said)) == (403, "forbidden")
            assert detail(said).replace(name, "…") == NOT_YOURS
    for name in ("acme-corp", "not-made-yet"):
        opened = client.ask("POST", "/account", b"{}", bearer(OURS.sign(koshel_ledger=name)))
        assert detail(opened) == "This JWT names no ledger that is here."


def test_the_operator_learns_that_its_own_ledger_keeps_its_name(client: Client) -> None:
    operator = bearer(OURS.sign(scope="koshel:admin"))
    said = client.ask("PATCH", "/ledger", b'{"ledger": "first"}', operator)
    assert (said.status, code(said)) == (422, "validation-failed")


@pytest.mark.parametrize("form", ["?access_token={}", "?{}", "?x=a&token={}"])
def test_one_in_the_query_is_refused_though_it_is_right(client: Client, form: str) -> None:
    token = OURS.sign()
    said = client.ask("GET", "/account/1" + form.format(token), None, bearer(token))
    assert (said.status, code(said)) == (401, "unauthorized")
    assert "ends up in logs" in detail(said)


def test_two_are_refused(client: Client) -> None:
    token = bearer(OURS.sign())
    assert detail(client.ask("GET", "/account/1", None, token, token)) == "The header Authorization must come once."


def test_the_access_log_has_its_subject_and_never_the_token(vouched: Vouched, client: Client) -> None:
    for subject in ("log|7", "ann@example.com"):
        header = bearer(OURS.sign(sub=subject))
        assert client.ask("POST", "/account/1/payment", PAYMENT, header).status == 201
        assert client.ask("POST", "/account/1/payment", PAYMENT, header).status == 201
    token = OURS.sign(sub="in-path")
    assert client.ask("GET", f"/account/{token}", None, bearer(token)).status == 404

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in vouched.out.read_text().splitlines()]

    wait_until(lambda: any(one.get("key") == "jwt:in-path" for one in lines()), "the line")
    keys = [one.get("key") for one in lines()]
    assert keys.count("jwt:log|7") == 2
    assert [one["path"] for one in lines() if one.get("key") == "jwt:in-path"] == ["/account/…"]
    assert "ann@example.com" not in keys
    assert token not in vouched.out.read_text()


def test_what_was_refused_is_counted_by_reason(vouched: Vouched, client: Client) -> None:
    def refused() -> dict[str, float]:
        _, authorization = bearer(OURS.sign(scope="koshel:admin"))
        return scrape(vouched.service, authorization=authorization).series("koshel_keys_refused_total", "reason")

    before = refused()
    client.ask("POST", "/account/1/payment", PAYMENT, bearer(OURS.sign(exp=1)))
    client.ask("GET", "/account/1", None, bearer(OURS.sign(aud="x")))
    after = refused()
    assert {name for name in after if after[name] > before.get(name, 0)} == {"jwt-expired", "jwt-audience"}
