"""Whatever a JWT or a JWKS is made of, it is taken for what it is or refused, and nothing is answered 5xx."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from koshel.access import jwts, signing_keys
from koshel.access.jwts import Claims
from koshel.access.signing_keys import Unusable
from koshel.callers import Unauthenticated
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.fuzzing import SETTINGS, Target, json_values, open_target
from tests.support.jwt_issuer import AUDIENCE, ISSUER, TERMS, document, jwks, public_keys, rsa_signer, signer

OURS = signer("ours")
KEYS = public_keys(OURS, rsa_signer(), signer("ec", "ES256"))
RIGHT = OURS.sign(scope="koshel:admin", exp=int(time.time()) + 86_400)
PAYMENT = b'{"amount": "1"}'
ODD: list[Any] = [0, -1, 2**63, 10**40, 1e308, float("inf"), float("nan"), True, None, "", "0", "\ud800", [], {}, [[]]]
values = st.one_of(st.sampled_from(ODD), json_values)
headers = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.one_of(st.sampled_from(["EdDSA", "RS256", "ES256", "none", "HS256", "PS512"]), values),
        "kid": st.one_of(st.sampled_from(["ours", "rsa", "ec", "no"]), values),
        "crit": values,
        "b64": values,
        "typ": values,
        "jwk": st.just(OURS.jwk),
        "jku": st.just("http://127.0.0.1:1/"),
    },
)
claims = st.dictionaries(
    st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "jti", "scope", "koshel_ledger", "x"]), values
)
fuzz = partial(settings, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def encoded(value: Any) -> str:
    text = json.dumps(value).encode(errors="surrogatepass") if not isinstance(value, bytes) else value
    return urlsafe_b64encode(text).decode().rstrip("=")


def read(token: str) -> Claims | None:
    """What is said of it; nothing but a refusal may be raised."""
    try:
        header = jwts.header_of(token)
        key = KEYS.find(header.kid, header.alg)
        return None if key is None else jwts.claims_of(token, key, TERMS)
    except Unauthenticated:
        return None


unsigned = st.builds(
    lambda header, said, signature: f"{encoded(header)}.{encoded(said)}.{encoded(signature)}",
    st.one_of(headers, values, st.binary(max_size=40)),
    st.one_of(claims, values, st.binary(max_size=40)),
    st.binary(max_size=80),
)
near = st.builds(
    lambda at, text, length: RIGHT[: at % len(RIGHT)] + text + RIGHT[at % len(RIGHT) + length :],
    st.integers(0, 10_000),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=3),
    st.integers(0, 3),
)
anything = st.text(st.characters(max_codepoint=0x1FFFF), max_size=60).map(lambda text: f"{text}.{text}.{text}")
tokens = st.one_of(unsigned, near, near.map(lambda text: text + "="), anything)


@fuzz(max_examples=700)
@given(token=tokens)
def test_what_is_not_signed_by_us_is_refused_however_near_it_is(token: str) -> None:
    found = read(token)
    if found is not None:  # the same bytes, with the padding that Base64 may have
        assert token.replace("=", "") == RIGHT


@fuzz(max_examples=500)
@given(header=headers, said=claims)
def test_what_is_signed_is_taken_or_refused_whatever_it_says(header: dict[str, Any], said: dict[str, Any]) -> None:
    right = jwt.decode(RIGHT, options={"verify_signature": False})
    payload = json.dumps(right | said).encode(errors="surrogatepass")
    shown = {"alg": "EdDSA", "kid": "ours"} | {name: value for name, value in header.items() if name != "alg"}
    signed = f"{encoded(shown)}.{encoded(payload)}"
    found = read(f"{signed}.{encoded(OURS.private.sign(signed.encode()))}")
    if found is not None:
        assert (found.ledger, len(found.key_id) <= 104, found.key_id.isprintable()) == ("main", True, True)
        assert 0 < found.remaining_s <= jwts.VERIFIED_MAX_S + jwts.LEEWAY_S


@fuzz(max_examples=400)
@given(data=st.data())
def test_a_jwks_is_read_or_not_whatever_is_in_it(data: st.DataObject) -> None:
    known = data.draw(st.sampled_from([OURS.jwk, rsa_signer().jwk, signer("ec", "ES384").jwk]))
    names = st.sampled_from([*known, "key_ops", "d", "x5c"])
    key = known | data.draw(st.dictionaries(names, st.one_of(values, st.sampled_from([*known.values()])), max_size=3))
    text = data.draw(st.one_of(st.just(document(key, key)), values.map(document), st.binary(max_size=60)))
    with suppress(Unusable):
        assert signing_keys.read(text).digests


@pytest.fixture(scope="module")
def target(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    file: Path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    file.write_bytes(jwks(OURS))
    chosen = replace(SETTINGS, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_keys=str(file))
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    with cloned(cluster, "fuzzed_jwts") as database:

        async def serve() -> AsyncIterator[Target]:
            async with open_target(database.service_url, chosen) as target:
                yield target

        async def end() -> None:
            assert [one async for one in running] == []

        running = serve()
        target = loop.run_until_complete(anext(running))
        try:
            right = ("Authorization", f"Bearer {RIGHT}")
            opened = target.request("POST /account", [right], b'{"email": "ann@example.com"}')
            assert target.ask(opened) == [201, 200]
            yield target
        finally:
            loop.run_until_complete(end())
            loop.close()
            asyncio.set_event_loop(None)


@fuzz(max_examples=300)
@given(start=st.sampled_from(["POST /account/1/payment", "GET /account/1"]), token=tokens)
def test_no_token_is_too_much_for_the_service(target: Target, start: str, token: str) -> None:
    body = PAYMENT if start.startswith("POST") else b""
    token = token.replace("KEY", "").replace("\r", "").replace("\n", "")
    target.ask(target.request(start, [("Authorization", f"Bearer {token}")], body))


def test_after_all_that_it_takes_a_right_one_as_before(target: Target) -> None:
    right = ("Authorization", f"Bearer {RIGHT}")
    for lane in ([], [("X-Unknown", "1")]):
        for _ in range(2):
            assert target.ask(target.request("POST /account/1/payment", [right, *lane], PAYMENT)) == [201, 200]
