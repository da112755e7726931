"""What a JWT says, and why one is refused."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from koshel.access import jwts
from koshel.access.jwts import LEEWAY_S, VERIFIED_MAX_S, Claims, Terms
from koshel.access.signing_keys import ALGORITHMS
from koshel.callers import Scope, Unauthenticated
from tests.support.jwt_issuer import TERMS, Signer, public_keys, rsa_signer, signer
from tests.support.wrong_jwts import OURS, WRONG


def read(token: str, *signers: Signer, terms: Terms = TERMS) -> Claims:
    header = jwts.header_of(token)
    key = public_keys(*(signers or [OURS, rsa_signer()])).find(header.kid, header.alg)
    if key is None:
        raise Unauthenticated("jwt-signing-key")
    return jwts.claims_of(token, key, terms)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_right_one_of_each_algorithm_is_taken(algorithm: str) -> None:
    made = rsa_signer()._replace(algorithm=algorithm) if algorithm[0] in "RP" else signer("k", algorithm)
    said = read(made.sign(sub="abc@clients"), made)
    assert (said.ledger, said.scope, said.key_id) == ("main", Scope.WRITE, "jwt:abc@clients")
    assert 600 + LEEWAY_S - 5 < said.remaining_s <= 600 + LEEWAY_S


@pytest.mark.parametrize("name", WRONG)
def test_one_that_is_wrong_is_refused_with_the_reason(name: str) -> None:
    reason, make = WRONG[name]
    with pytest.raises(Unauthenticated) as refused:
        read(make())
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "claims",
    [
        lambda now: {"exp": now - LEEWAY_S + 20},
        lambda now: {"nbf": now + LEEWAY_S - 5},
        lambda _: {"aud": ["other", "koshel"]},
        lambda now: {"exp": float(now + 600)},
        lambda _: {"more": {"deep": [[1]]}},
    ],
    ids=["over by less than the leeway", "early by less than it", "for others too", "a float", "with more"],
)
def test_one_that_is_right_in_its_own_way_is_taken(claims: Callable[[int], dict[str, Any]]) -> None:
    assert read(OURS.sign(**claims(int(time.time())))).ledger == "main"


@pytest.mark.parametrize("exp", [10**11, 10**30, 10**4_000], ids=["long", "longer", "longest"])
def test_one_that_lasts_very_long_is_verified_again_after_a_while(exp: int) -> None:
    assert read(OURS.sign(exp=exp)).remaining_s <= VERIFIED_MAX_S + LEEWAY_S


def test_one_that_names_no_key_is_of_the_only_one_that_there_is_for_its_algorithm() -> None:
    claims = jwt.decode(OURS.sign(), options={"verify_signature": False})
    bare = jwt.encode(claims, OURS.private, "EdDSA")
    assert "kid" not in jwt.get_unverified_header(bare)
    assert read(bare).ledger == "main"
    with pytest.raises(Unauthenticated, match="jwt-signing-key"):
        read(bare, OURS, signer("second"))


@pytest.mark.parametrize(
    ("claim", "scope"),
    [
        ("koshel:read", Scope.READ),
        ("koshel:write koshel:read", Scope.WRITE),
        ("openid koshel:admin koshel:read", Scope.ADMIN),
        (["profile", "koshel:write"], Scope.WRITE),
        (["koshel:read", 7], Scope.READ),
    ],
)
def test_the_greatest_of_the_scopes_counts(claim: Any, scope: Scope) -> None:
    assert read(OURS.sign(scope=claim)).scope is scope


def test_claims_have_the_names_that_the_settings_say() -> None:
    terms = Terms(TERMS.issuer, TERMS.audience, "https://koshel.example/ledger", "roles")
    token = OURS.sign(None, **{"https://koshel.example/ledger": "shop", "roles": ["koshel:admin"]})
    assert (read(token, terms=terms).ledger, read(token, terms=terms).scope) == ("shop", Scope.ADMIN)
    with pytest.raises(Unauthenticated, match="jwt-scope"):
        read(OURS.sign(), terms=terms)


@pytest.mark.parametrize("subject", ["7", "auth0|5f7c8ec7c33c6c004bbafe82", "abc@clients", "a b", "x" * 100])
def test_a_subject_is_shown(subject: str) -> None:
    assert read(OURS.sign(sub=subject)).key_id == f"jwt:{subject}"


@pytest.mark.parametrize(
    "subject",
    [
        *("ann@mail.example.com", "x" * 101, "a\nb", "#0123456789abcdef", "Анна", "\ud800"),
        *("koshel_live_" + "a" * 49, "eyJhbGciOiJub25lIn0.e30."),
    ],
)
def test_a_subject_that_no_log_can_have_is_shown_as_its_digest(subject: str) -> None:
    key_id = read(OURS.sign(sub=subject)).key_id
    assert key_id.startswith("jwt:#")
    assert len(key_id) == 21
    assert key_id != read(OURS.sign(sub=subject + "x")).key_id
