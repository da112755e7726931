"""JWTs over real processes: keys rotate without a restart, an issuer is away, wrong ones harm nobody; and the start."""

import json
import ssl
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from koshel.access.issuer import LOOK_PAUSE_S
from tests.support import command
from tests.support.crowd import CONNECTIONS, LOADED_S, PAYMENT, Crowd
from tests.support.database import Database
from tests.support.jwt_issuer import AUDIENCE, ISSUER, JwksServer, Signer, jwks, jwks_server, signer
from tests.support.keyed import Client, bearer
from tests.support.launch import serving_into
from tests.support.service import Running, serving
from tests.support.waiting import wait_until

OLD, NEW = signer("old"), signer("new", "ES256")


pytestmark = pytest.mark.alone


@pytest.fixture
def issuer() -> Iterator[JwksServer]:
    with jwks_server() as issuer:
        issuer.signers = [OLD]
        yield issuer


def token(server: JwksServer, by: Signer = OLD, **claims: object) -> str:
    return by.sign(iss=server.url, **({"scope": "koshel:admin"} | claims))


@contextmanager
def crowded(service: Running, authorization: tuple[str, str]) -> Iterator[Crowd]:
    """Clients of all the workers, and an account that they pay into."""
    client, crowd = Client(service.port), Crowd(service)
    opened = b'{"email": "ann@example.com", "max_balance": null}'
    assert client.ask("POST", "/account", opened, authorization).status == 201
    yield crowd
    client.close()
    crowd.close()


def test_signing_keys_rotate_without_a_restart(database: Database, issuer: JwksServer) -> None:
    settings = {"jwt_issuer": issuer.url, "jwt_audience": AUDIENCE}
    with serving(database.service_url, workers="2", **settings) as service:
        old, new = bearer(token(issuer)), bearer(token(issuer, NEW))
        with crowded(service, old) as crowd:
            assert crowd.statuses(old) == {201}
            assert crowd.statuses(new) == {401}
            issuer.signers = [OLD, NEW]
            assert crowd.wait_for(201, new) < 3 * LOOK_PAUSE_S
            assert crowd.statuses(old) == {201}
            issuer.signers = [NEW]
            time.sleep(LOOK_PAUSE_S)  # what is waited for is the clock itself
            unknown = bearer(token(issuer, signer("third")))
            crowd.wait_for(401, unknown)
            assert crowd.wait_for(401, old) < 3 * LOOK_PAUSE_S
            assert crowd.statuses(new) == {201}
    asked = issuer.asked.count("/keys")
    assert asked <= 2 * 12, "every few seconds, by each worker, whatever comes"


def test_an_issuer_that_is_away_stops_neither_the_start_nor_api_keys(
    database: Database, issuer: JwksServer, tmp_path: Path
) -> None:
    issuer.status = 503
    made = command.run("key", "create", "--scope", "admin", database_url=database.owner_url)
    key = bearer(made.stdout.strip())
    settings = {"jwt_issuer": issuer.url, "jwt_audience": AUDIENCE, "log_format": "json"}
    with serving_into(tmp_path, database.service_url, **settings) as (service, _, err):
        jwt = bearer(token(issuer))
        with crowded(service, key) as crowd:
            assert crowd.statuses(key) == {201}
            said = service.call("GET", "/account/1", Authorization=jwt[1])
            assert (said.status, said.body["code"], said.body["retryable"]) == (503, "issuer-unavailable", True)
            assert said.headers["Retry-After"] == "1"
            assert crowd.statuses(jwt) == {503}
            issuer.status = 200
            assert crowd.wait_for(201, jwt) < 3 * LOOK_PAUSE_S
            issuer.status = 503
            assert crowd.statuses(bearer(token(issuer, sub="other"))) == {201}, "by the keys of before"
    events = [json.loads(line)["event"] for line in err.read_text().splitlines() if line.startswith("{")]
    assert events.count("the signing keys of JWTs cannot be read") == 2, "once for each worker"
    assert events.count("the signing keys of JWTs are read") == 2


def test_wrong_ones_by_the_thousand_harm_nobody(database: Database, issuer: JwksServer) -> None:
    settings = {"jwt_issuer": issuer.url, "jwt_audience": AUDIENCE}
    with serving(database.service_url, workers="2", **settings) as service:
        right = bearer(token(issuer))
        forged = [bearer(token(issuer, Signer("old", "EdDSA", signer("x").private), jti=str(n))) for n in range(400)]
        good = Client(service.port)

        def took(seconds: float) -> float:
            """The median of payments, one after another for so long, each of them good."""
            times, ends = [], time.perf_counter() + seconds
            while time.perf_counter() < ends:
                began = time.perf_counter()
                assert good.ask("POST", "/account/1/payment", PAYMENT, right).status == 201
                times.append(time.perf_counter() - began)
            return statistics.median(times)

        with crowded(service, right) as crowd, ThreadPoolExecutor(1) as pool:
            took(0.2)
            paid, sent = pool.submit(took, LOADED_S), 0
            while not paid.done():
                assert crowd.statuses(forged[sent // CONNECTIONS % len(forged)]) <= {401, 503}
                sent += CONNECTIONS
        good.close()
        assert sent >= 100
        assert paid.result() < 1, "as fast as the machine lets it, and never refused"


def test_an_issuer_is_believed_by_its_certificate(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, other = trustme.CA(), trustme.CA()
    known.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for ca, status in ((known, 404), (other, 503)):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("127.0.0.1").configure_cert(context)
        with jwks_server(context) as issuer:
            issuer.signers = [OLD]
            settings = {"jwt_issuer": issuer.url, "jwt_audience": AUDIENCE}
            with serving(database.service_url, workers="1", **settings) as service:
                own = {"Authorization": f"Bearer {token(issuer)}"}
                assert service.call("GET", "/account/1", **own).status == status


def test_keys_may_be_in_a_file_and_nobody_is_asked_for_a_first_api_key(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(OLD))
    settings = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": str(file)}
    with serving(database.service_url, workers="1", host="0.0.0.0", **settings) as service:
        assert service.call("GET", "/account/1").status == 401
        own = {"Authorization": f"Bearer {OLD.sign(scope='koshel:admin')}"}
        assert service.call("GET", "/account/1", **own).status == 404
        new = {"Authorization": f"Bearer {NEW.sign()}"}
        assert service.call("GET", "/account/1", **new).status == 401
        file.write_bytes(jwks(NEW))
        wait_until(lambda: service.call("GET", "/account/1", **new).status == 404, "the new key")
        assert service.call("GET", "/account/1", **own).status == 401


def test_a_file_without_keys_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    settings = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": str(file), "port": "0"}
    ended = command.run("serve", **settings)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr == f"koshel: KOSHEL_JWT_KEYS cannot be read: {file}: No such file or directory\n"
    file.write_text("{}")
    ended = command.run("serve", **settings)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"koshel: KOSHEL_JWT_KEYS cannot be used: {file}: it is no JWKS")
