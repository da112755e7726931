"""An issuer's signing keys: which of a JWKS are taken, and what for."""

import json
from typing import Any

import pytest
from jwt.algorithms import RSAAlgorithm

from koshel.access import signing_keys
from koshel.access.signing_keys import BYTES_MAX, KEYS_MAX, Unusable
from koshel.callers import Unauthenticated
from tests.support.jwt_issuer import document, jwks, rsa_signer, signer

ED, EC = signer("ed"), signer("ec", "ES384")
RSA = rsa_signer()
OF_RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def without(jwk: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (ED.jwk, {"EdDSA"}),
        (EC.jwk, {"ES384"}),
        (RSA.jwk, {"RS256"}),
        (without(RSA.jwk, "alg", "use"), OF_RSA),
        (without(EC.jwk, "alg"), {"ES384"}),
        (RSA.jwk | {"key_ops": ["verify"], "x5t": "x", "x5c": ["MII"]}, {"RS256"}),
    ],
)
def test_a_key_is_for_its_own_algorithms(jwk: dict[str, Any], algorithms: set[str]) -> None:
    keys = signing_keys.read(document(jwk))
    for algorithm in signing_keys.ALGORITHMS:
        if algorithm in algorithms:
            found = keys.find(jwk["kid"], algorithm)
            assert found is not None
            assert found.algorithms == algorithms
        else:
            with pytest.raises(Unauthenticated, match="jwt-algorithm"):
                keys.find(jwk["kid"], algorithm)


NOT_TAKEN: dict[str, Any] = {
    "no object": 7,
    "of no type": without(ED.jwk, "kty"),
    "symmetric": {"kty": "oct", "k": "c2VjcmV0", "kid": "oct", "alg": "HS256"},
    "symmetric, and says that it is for RS256": {"kty": "oct", "k": "c2VjcmV0", "alg": "RS256"},
    "for encryption": RSA.jwk | {"use": "enc"},
    "for other operations": without(RSA.jwk, "use") | {"key_ops": ["encrypt"]},
    "for an algorithm of another type": RSA.jwk | {"alg": "ES256"},
    "for an algorithm of another curve": EC.jwk | {"alg": "ES256"},
    "for encryption by its algorithm": RSA.jwk | {"alg": "RSA-OAEP"},
    "for HS256": RSA.jwk | {"alg": "HS256"},
    "for none": RSA.jwk | {"alg": "none"},
    "of a curve that is not taken": EC.jwk | {"crv": "secp256k1", "alg": "ES256K"},
    "of another curve than it is": EC.jwk | {"crv": "P-256", "alg": "ES256"},
    "not on its curve": EC.jwk | {"x": EC.jwk["y"]},
    "without one of its numbers": without(RSA.jwk, "e"),
    "with a number that is no Base64": RSA.jwk | {"n": "é"},
    "with an even modulus": RSA.jwk | {"n": "AAAA"},
    "too short": ED.jwk | {"x": "AAAA"},
    "of too few bits": signer("short", "RS256", 1_024).jwk,
    "of too many bits": RSA.jwk | {"n": RSAAlgorithm.to_jwk(RSA.private.public_key(), as_dict=True)["n"] * 5},
    "with a name that is no text": ED.jwk | {"kid": 7},
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_is_no_key_for_signatures_is_passed_over(name: str) -> None:
    with pytest.raises(Unusable, match="no public key"):
        signing_keys.read(document(NOT_TAKEN[name]))
    assert len(signing_keys.read(document(NOT_TAKEN[name], EC.jwk)).digests) == 1


@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"<html>", b"[" * 100_000]
)
def test_what_is_no_jwks_is_not_read(text: bytes) -> None:
    with pytest.raises(Unusable, match="no JWKS"):
        signing_keys.read(text)


def test_a_jwks_is_bounded() -> None:
    with pytest.raises(Unusable, match="larger than"):
        signing_keys.read(b" " * (BYTES_MAX + 1))
    many = [ED.jwk | {"kid": str(number)} for number in range(KEYS_MAX + 5)]
    assert len(signing_keys.read(document(*many)).digests) == KEYS_MAX


def test_a_private_part_is_not_used() -> None:
    private = RSAAlgorithm.to_jwk(RSA.private, as_dict=True)
    found = signing_keys.read(document(without(private, "key_ops") | {"kid": "k"})).find("k", "RS256")
    assert found is not None
    assert not hasattr(found.public, "private_numbers")


def test_a_key_is_another_one_when_anything_of_it_changes() -> None:
    first = signing_keys.read(jwks(ED, EC))
    assert first.digests == signing_keys.read(jwks(EC, ED)).digests
    for changed in (ED.jwk | {"kid": "x"}, without(ED.jwk, "alg"), signer("ed").jwk):
        assert len(first.digests & signing_keys.read(document(changed, EC.jwk)).digests) == 1


def test_of_two_keys_with_one_name_the_first_for_the_algorithm_counts() -> None:
    second = signer("ed")
    keys = signing_keys.read(document(EC.jwk | {"kid": "ed"}, ED.jwk, second.jwk))
    found = keys.find("ed", "EdDSA")
    assert found is not None
    assert found.public == ED.private.public_key()
    assert keys.find("no", "EdDSA") is None
    assert json.loads(jwks(ED))["keys"][0]["kid"] == "ed"
