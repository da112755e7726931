"""An issuer's keys are kept up to date: when it rotates them, when it is away, and whatever it answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from koshel.access import issuer as issuer_module
from koshel.access import jwks_source
from koshel.access.issuer import KEPT_S, LOOK_PAUSE_S, Issuer, open_issuer
from koshel.access.jwks_source import open_source
from koshel.access.jwts import Header
from koshel.access.signing_keys import BYTES_MAX
from koshel.callers import IssuerUnavailable, Unauthenticated
from koshel.config.settings import Settings
from koshel.errors import Overloaded
from tests.support.jwt_issuer import JwksServer, document, jwks, jwks_server, public_keys, signer
from tests.support.waiting import until

OLD, NEW = signer("old"), signer("new")
SLOW_S = 0.3


@pytest.fixture
def server() -> Iterator[JwksServer]:
    with jwks_server() as server:
        server.signers = [OLD]
        yield server


@asynccontextmanager
async def kept(url: str, keys: str | None = None) -> AsyncIterator[tuple[Issuer, list[frozenset[bytes]]]]:
    """The issuer's keys, and each set of them that there was."""
    changes: list[frozenset[bytes]] = []
    settings = Settings(jwt_issuer=url, jwt_audience="koshel", jwt_keys=keys)
    async with open_source(settings) as source, open_issuer(source, changes.append) as issuer:
        yield issuer, changes


async def knows(issuer: Issuer, *names: str) -> None:
    await until(
        lambda: issuer.is_known and all(issuer.find(Header("EdDSA", name)) is not None for name in names), f"{names}"
    )


async def test_keys_are_where_the_configuration_of_the_issuer_says(server: JwksServer) -> None:
    async with kept(server.url) as (issuer, changes):
        await knows(issuer, "old")
        assert server.asked == ["/.well-known/openid-configuration", "/keys"]
        assert changes == [public_keys(OLD).digests]


async def test_or_where_the_settings_say(server: JwksServer) -> None:
    async with kept("anybody", f"{server.url}/jwks.json") as (issuer, _):
        await knows(issuer, "old")
        assert server.asked == ["/jwks.json"]


async def test_a_key_that_is_new_is_looked_for_when_it_is_named(
    server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "LOOK_PAUSE_S", 0.0)
    async with kept("anybody", f"{server.url}/keys") as (issuer, changes):
        await knows(issuer, "old")
        server.signers = [OLD, NEW]
        assert (await issuer.find_or_look(Header("EdDSA", "new"))).id == "new"
        server.signers = [NEW]
        with pytest.raises(Unauthenticated, match="jwt-signing-key"):
            await issuer.find_or_look(Header("EdDSA", "third"))
        assert issuer.find(Header("EdDSA", "old")) is None
        assert changes == [public_keys(*those).digests for those in ([OLD], [OLD, NEW], [NEW])]


async def test_nobody_makes_it_look_again_and_again(server: JwksServer) -> None:
    async with kept("anybody", f"{server.url}/keys") as (issuer, _):
        await knows(issuer, "old")
        for number in range(100):
            with pytest.raises(Unauthenticated, match="jwt-signing-key"):
                await issuer.find_or_look(Header("EdDSA", f"made-up-{number}"))
        with pytest.raises(Unauthenticated, match="jwt-signing-key"):
            issuer.check()
        assert len(server.asked) == 1


async def test_those_who_wait_for_a_look_wait_for_the_same_one_and_they_are_bounded(
    server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "WAITING_MAX", 10)
    server.pause_s = SLOW_S
    async with kept("anybody", f"{server.url}/keys") as (issuer, _):
        looks = [issuer.find_or_look(Header("EdDSA", "old")) for _ in range(15)]
        found = await asyncio.gather(*looks, return_exceptions=True)
        assert sum(isinstance(one, Overloaded) for one in found) == 5
        assert len({id(one) for one in found if not isinstance(one, Overloaded)}) == 1
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"status": 500}, "answers 500"),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, "answers 302"),
        ({"body": b"<html>"}, "no JWKS"),
        ({"body": document()}, "no public key"),
        ({"body": b" " * (BYTES_MAX + 10)}, "larger than"),
        ({"pause_s": 2.0}, "TimeoutError"),
    ],
)
async def test_whatever_it_answers_the_keys_of_before_go_on_and_the_log_says_so_once(
    server: JwksServer, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(jwks_source, "TIMEOUT_S", 0.5)
    with capture_logs() as log:
        async with kept("anybody", f"{server.url}/keys") as (issuer, changes):
            await knows(issuer, "old")
            right = {name: getattr(server, name) for name in wrong}
            for name, value in wrong.items():
                setattr(server, name, value)
            await issuer.look()
            await issuer.look()
            assert issuer.find(Header("EdDSA", "old")) is not None
            with pytest.raises(IssuerUnavailable):  # it may have a new key by now
                await issuer.find_or_look(Header("EdDSA", "new"))
            for name, value in right.items():
                setattr(server, name, value)
            await issuer.look()
            assert len(changes) == 1
    events = [(one["log_level"], one["event"]) for one in log]
    read = ("info", "the signing keys of JWTs are read")
    assert events == [read, ("warning", "the signing keys of JWTs cannot be read"), read]
    assert said in log[1]["error"]


async def test_a_token_in_the_query_of_the_url_is_sent_and_not_logged(server: JwksServer) -> None:
    with capture_logs() as log:
        async with kept("anybody", f"{server.url}/keys?token=sekret") as (issuer, _):
            await knows(issuer, "old")
            for wrong in (
                {"status": 500},
                {"status": 1_000},
                {"body": b"<html>"},
                {"headers": {"Content-Encoding": "\x01"}},
            ):
                for name, value in wrong.items():
                    setattr(server, name, value)
                await issuer.look()
                server.status, server.body, server.headers = 200, None, {}
                await issuer.look()
        async with kept("anybody", "http://127.0.0.1:1/keys?token=sekret") as (issuer, _):
            await until(lambda: any("127.0.0.1:1/" in str(one) for one in log), "nobody is there")
    assert server.asked[0] == "/keys?token=sekret"
    assert "sekret" not in str(log)
    assert {one["source"] for one in log} == {f"{server.url}/keys?…", "http://127.0.0.1:1/keys?…"}
    assert [one["error"] for one in log if "answers 500" in one.get("error", "")] == [
        f"{server.url}/keys?… answers 500"
    ]


async def test_nor_that_of_a_url_which_the_issuer_names(server: JwksServer) -> None:
    server.configuration = {"jwks_uri": f"{server.url}/keys?token=sekret"}
    server.status = 200
    with capture_logs() as log:
        async with kept(server.url) as (issuer, _):
            await knows(issuer, "old")
            server.configuration = {"jwks_uri": "http://127.0.0.1:1/keys?token=sekret"}
            await issuer.look()
            server.configuration = {"issuer": "https://user:sekret@b.example/?c=sekret"}
            await issuer.look()
    assert "sekret" not in str(log)
    assert "http://127.0.0.1:1/keys?…" in log[1]["error"]


async def test_keys_that_were_not_read_for_a_day_are_none_and_count_again_when_they_are(
    server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "KEPT_S", 0.2)
    monkeypatch.setattr(issuer_module, "LOOK_PAUSE_S", 0.0)
    with capture_logs() as log:
        async with kept("anybody", f"{server.url}/keys") as (issuer, changes):
            await knows(issuer, "old")
            server.status = 503
            await until(lambda: not issuer.is_known, "keys that are too old")
            for _ in range(2):
                with pytest.raises(IssuerUnavailable):
                    await issuer.find_or_look(Header("EdDSA", "old"))
            assert changes[1:] == [frozenset()]
            server.status = 200
            assert (await issuer.find_or_look(Header("EdDSA", "old"))).id == "old"
    assert [one["log_level"] for one in log] == ["info", "warning", "error", "info"]
    assert KEPT_S > 3_600 > LOOK_PAUSE_S


async def test_an_issuer_that_is_away_from_the_start_holds_nothing_up() -> None:
    async with kept("anybody", "http://127.0.0.1:1/keys") as (issuer, changes):
        with pytest.raises(IssuerUnavailable):
            await issuer.find_or_look(Header("EdDSA", "old"))
        assert changes == []


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"issuer": "https://login.example.com"}, "is that of 'https://login.example.com'"),
        ({"jwks_uri": "http://keys.example.com/"}, "not at an https:// URL"),
        ({"jwks_uri": "file:///etc/passwd"}, "not at an https:// URL"),
        ({"jwks_uri": 7}, "Expected `str`"),
    ],
)
async def test_a_configuration_that_is_not_the_issuers_or_leads_astray_is_not_followed(
    server: JwksServer, configuration: dict[str, Any], said: str
) -> None:
    server.configuration = configuration
    with capture_logs() as log:
        async with kept(server.url) as (issuer, _):
            with pytest.raises(IssuerUnavailable):
                await issuer.find_or_look(Header("EdDSA", "old"))
    assert said in log[0]["error"]
    assert server.asked == ["/.well-known/openid-configuration"]


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks_source.FileSource, "every_s", 0.02)
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(OLD))
    async with kept("anybody", str(file)) as (issuer, changes):
        await knows(issuer, "old")
        file.write_bytes(b"{")
        await issuer.look()
        file.unlink()
        await issuer.look()
        await knows(issuer, "old")
        file.write_bytes(jwks(NEW))
        await knows(issuer, "new")
        assert len(changes) == 2
        assert issuer.find(Header("EdDSA", "old")) is None
