"""Which pages may use the service: nobody else's, unless they are named, and by no name that is not its own."""

from collections.abc import Iterator

import psycopg
import pytest
from msgspec import convert
from multidict import CIMultiDict

from koshel.config.settings import Settings
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.http.handlers.routes import ROUTES
from koshel.http.origins import Origins
from koshel.http.problems import Failure
from tests.conftest import TEMPLATE
from tests.http.conftest import OpenAccount, Send
from tests.http.test_refusals import assert_problem
from tests.support.service import Answer, Running, serving

SHOP = "https://shop.example"
Headers = list[tuple[str, str]]


def origins(host: str = "127.0.0.1", allowed: str = "") -> Origins:
    return Origins(convert({"host": host, "allowed_origins": allowed}, Settings))


def passes(known: Origins, headers: Headers, method: str = "POST") -> bool:
    try:
        known.check(method, CIMultiDict(headers))
    except Failure as failure:
        return failure.code != "cross-site"
    return True


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LOCALHOST:1", True),
        ("localhost.", True),
        ("koshel.localhost:8080", True),
        ("127.0.0.1", True),
        ("127.0.0.1:8080", True),
        ("127.9.8.7", True),
        ("[::1]", True),
        ("[::1]:8080", True),
        ("", False),
        ("example.com", False),
        ("example.com:8080", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1:8080", False),
        ("0.0.0.0:8080", False),
        ("[::]:8080", False),
        ("[2001:db8::1]", False),
        ("localhost:http", False),
        ("localhost:80:80", False),
        ("user@localhost", False),
        ("localhost/", False),
        ("127.1", False),
        ("[::1", False),
        ("::1", False),
        ("127.0.0.\u0661", False),
    ],
)
@pytest.mark.parametrize("listens_on", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_on_loopback_only_loopback_names_are_known(listens_on: str, host: str, *, is_known: bool) -> None:
    known = origins(listens_on)
    assert known.is_known_host(host) is is_known
    for method in ("GET", "HEAD", "POST", "PATCH", "OPTIONS", "DELETE"):
        assert passes(known, [("Host", host)], method) is is_known


@pytest.mark.parametrize("listens_on", ["0.0.0.0", "::", "10.0.0.7", "wallet.internal"])
@pytest.mark.parametrize("host", ["wallet.internal", "10.0.0.7:8080", "example.com", "localhost"])
def test_beyond_loopback_the_service_has_whatever_name_it_has(listens_on: str, host: str) -> None:
    assert origins(listens_on).is_known_host(host)
    assert passes(origins(listens_on), [("Host", host)])


def test_the_host_of_an_allowed_origin_is_known() -> None:
    known = origins(allowed=f"{SHOP}, http://admin.example:8081")
    assert [known.is_known_host(host) for host in ("shop.example", "Admin.Example:8081")] == [True, True]
    assert [known.is_known_host(host) for host in ("admin.example", "shop.example:81", "example")] == [False] * 3


def test_who_speaks_http_1_0_need_not_say_a_host() -> None:
    assert passes(origins(), [])
    assert not passes(origins(), [("Origin", "http://localhost")])


LOCAL = ("Host", "localhost:8080")


@pytest.mark.parametrize(
    ("headers", "is_let_pass"),
    [
        ([], True),
        ([("Origin", "http://localhost:8080")], True),
        ([("Origin", "https://localhost:8080")], True),  # a proxy speaks TLS
        ([("Origin", "HTTP://LocalHost:8080")], True),
        ([("Origin", "http://localhost:8080"), ("Sec-Fetch-Site", "same-origin")], True),
        ([("Origin", "http://localhost:8080"), ("Sec-Fetch-Site", "none")], True),
        ([("Origin", "http://localhost:8080"), ("Sec-Fetch-Site", "cross-site")], False),
        ([("Origin", "http://localhost:8080"), ("Sec-Fetch-Site", "same-site")], False),
        ([("Origin", "http://localhost:8080"), ("Sec-Fetch-Site", "")], False),
        ([("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")], False),
        ([("Origin", SHOP)], True),
        ([("Origin", SHOP), ("Sec-Fetch-Site", "cross-site")], True),
        ([("Origin", "http://admin.example:8081"), ("Sec-Fetch-Site", "same-site")], True),
        ([("Sec-Fetch-Site", "same-origin")], True),
        ([("Sec-Fetch-Site", "none")], True),  # the address bar, or a bookmark
        ([("Sec-Fetch-Site", "cross-site")], False),
        ([("Sec-Fetch-Site", "Cross-Site")], False),
        ([("Sec-Fetch-Site", "same-site")], False),  # http://localhost:3000, say
        ([("Sec-Fetch-Site", "somewhere")], False),
        ([("Origin", "null")], False),
        ([("Origin", "")], False),
        ([("Origin", "http://localhost")], False),
        ([("Origin", "http://localhost:3000")], False),
        ([("Origin", "http://127.0.0.1:8080")], False),
        ([("Origin", "ftp://localhost:8080")], False),
        ([("Origin", "localhost:8080")], False),
        ([("Origin", "http://localhost:8080/")], False),
        ([("Origin", "http://localhost:8080@evil.example")], False),
        ([("Origin", "https://evil.example")], False),
        ([("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")], False),
        ([("Origin", "http://shop.example")], False),
        ([("Origin", "https://shop.example.evil.example")], False),
        ([("Origin", "https://shop.example:444")], False),
        ([("Origin", f"{SHOP} https://evil.example")], False),
        ([("Origin", SHOP), ("Origin", "https://evil.example")], False),
    ],
)
def test_only_known_pages_may_do_more_than_read(headers: Headers, *, is_let_pass: bool) -> None:
    known = origins(allowed=f"{SHOP},http://admin.example:8081")
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        assert passes(known, [LOCAL, *headers], method) is is_let_pass
    for method in ("GET", "HEAD", "OPTIONS"):
        assert passes(known, [LOCAL, *headers], method)


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        ("https://wallet.example", "wallet.example", True),
        ("https://wallet.example", "wallet.example:443", True),
        ("http://wallet.example", "wallet.example:80", True),
        ("https://wallet.example:8443", "wallet.example:8443", True),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080", True),
        ("https://wallet.example", "wallet.example:80", False),
        ("https://wallet.example", "example", False),
        ("https://wallet.example:8443", "wallet.example", False),
    ],
)
def test_an_origin_is_the_services_own_if_it_is_the_host_asked(origin: str, host: str, *, is_own: bool) -> None:
    assert passes(origins("0.0.0.0"), [("Host", host), ("Origin", origin)]) is is_own


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_foreign_page_changes_nothing(service: Running, send: Send, open_account: OpenAccount, method: str) -> None:
    account_id = open_account("5")
    before = service.call("GET", f"/account/{account_id}").body
    path = f"/account/{account_id}/payment" if method == "POST" else f"/account/{account_id}"
    body = b'{"amount": 1}' if method == "POST" else b'{"status": "frozen"}'
    shared = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body))}
    for foreign in ({"Origin": SHOP}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}, {"Origin": "null"}):
        answer = send(method, path, body, shared | foreign)
        assert_problem(answer, "cross-site")
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
    assert service.call("GET", f"/account/{account_id}").body == before


def test_a_body_that_may_be_left_out_does_not_let_a_foreign_page_in(send: Send, service: Running) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = send("POST", "/transaction/1/void", headers={"Host": "localhost", "Content-Length": "0"} | headers)
        assert_problem(answer, "cross-site")
    assert service.call("GET", "/health/ready").status == 200


def test_no_route_is_reached_by_a_name_that_is_not_the_services(send: Send) -> None:
    for route in ROUTES:
        path = route.path.replace("{id}", "1").replace("{code}", "not-found")
        answer = send(route.method, path, headers={"Host": "evil.example", "Content-Length": "0"})
        assert assert_problem(answer, "cross-site")["detail"] == (
            'This service is not called "evil.example"; use localhost or 127.0.0.1, '
            "or if that name is yours, add its origin to KOSHEL_ALLOWED_ORIGINS."
        )
    assert_problem(send("GET", "/nowhere", headers={"Host": "evil.example"}), "cross-site")


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[Running]:
    """A service whose API a page of the shop uses."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE origins_tests TEMPLATE {TEMPLATE}")
    url = cluster.url(embedded.SERVICE, "origins_tests")
    with serving(url, workers="1", auth="off", allowed_origins=f"{SHOP}, http://admin.example") as service:
        yield service


def preflight(shop: Running, path: str, **headers: str) -> Answer:
    asked = {"Origin": SHOP, "Access_Control_Request_Method": "POST"} | headers
    return shop.call("OPTIONS", path, **asked)


def test_a_page_that_is_allowed_can_use_the_api(shop: Running) -> None:
    asked = preflight(shop, "/account", Access_Control_Request_Headers="content-type, idempotency-key")
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == SHOP
    assert asked.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
    allowed = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "authorization", "idempotency-key", "if-match", "prefer"} <= set(allowed)
    opened = shop.call("POST", "/account", {"email": "ann@example.com"}, Origin=SHOP, Sec_Fetch_Site="cross-site")
    assert opened.status == 201
    refused = shop.call("GET", "/account/999999", Origin="http://admin.example")
    assert_problem(refused, "account-not-found")
    for answer, origin in ((opened, SHOP), (refused, "http://admin.example")):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Vary"] == "Origin"
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Link", "Location", "Idempotent-Replayed", "X-Request-Id"} <= set(exposed)


def test_what_a_cache_keeps_of_one_origin_is_for_no_other(shop: Running) -> None:
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": SHOP}):
        assert shop.call("GET", "/account/1", **origin).headers["Vary"] == "Origin"
        assert shop.call("GET", "/", **origin).headers["Vary"] == "Accept, Origin"


def test_a_preflight_names_the_methods_of_its_path(shop: Running) -> None:
    answer = preflight(shop, "/account/1", Access_Control_Request_Method="PATCH")
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, PATCH, PUT"
    assert_problem(preflight(shop, "/nowhere"), "not-found")


def test_who_is_not_allowed_is_told_nothing(shop: Running) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1"}):
        answer = preflight(shop, "/account", **headers)
        assert_problem(answer, "method-not-allowed")
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
    assert_problem(shop.call("POST", "/account", {}, Origin="https://evil.example"), "cross-site")
    assert_problem(shop.call("OPTIONS", "/account", Origin=SHOP), "method-not-allowed")
