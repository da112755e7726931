"""JWTs that are wrong, each in one way, and why each is refused."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm

from koshel.access.jwts import LEEWAY_S, LENGTH_MAX
from tests.support.jwt_issuer import rsa_signer, signer

OURS = signer("ours")  # the issuer has this key, and that for RS256
OTHER = signer("ours")


def part(value: Any) -> str:
    """A part of a JWT: bytes as they are, all else as JSON."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(text).decode().rstrip("=")


def forged(header: Any, token: str) -> str:
    """The token with another header."""
    return ".".join([part(header), *token.split(".")[1:]])


def changed(token: str, **claims: Any) -> str:
    """The token with other claims, and the signature of before."""
    header, payload, signature = token.split(".")
    said = json.loads(jwt.utils.base64url_decode(payload)) | claims
    return f"{header}.{part(said)}.{signature}"


def hs256_with_the_public_key() -> str:
    """Signed with what everybody knows."""
    pem = rsa_signer().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = part({"alg": "HS256", "kid": "rsa", "typ": "JWT"})
    signing_input = f"{header}.{OURS.sign().split('.')[1]}"
    signature = HMACAlgorithm(HMACAlgorithm.SHA256).sign(signing_input.encode(), pem)
    return f"{signing_input}.{part(signature)}"


WRONG: dict[str, tuple[str, Callable[[], str]]] = {
    "nothing between dots": ("jwt-malformed", lambda: ".."),
    "two parts": ("jwt-malformed", lambda: OURS.sign().rpartition(".")[0]),
    "four parts": ("jwt-malformed", lambda: OURS.sign() + ".x"),
    "not ASCII": ("jwt-malformed", lambda: OURS.sign() + "é"),
    "too long": ("jwt-malformed", lambda: OURS.sign(pad="x" * LENGTH_MAX)),
    "a header that is no Base64": ("jwt-malformed", lambda: "a" + OURS.sign()),
    "a header that is no JSON": ("jwt-malformed", lambda: forged(b"{", OURS.sign())),
    "a header that is a list": ("jwt-malformed", lambda: forged([], OURS.sign())),
    "a header of arrays": ("jwt-malformed", lambda: forged(b"[" * 3_000, OURS.sign())),
    "a header that is no UTF-8": ("jwt-malformed", lambda: forged(b'{"alg": "\xff"}', OURS.sign())),
    "no algorithm": ("jwt-malformed", lambda: forged({"kid": "ours"}, OURS.sign())),
    "a key that is no text": ("jwt-malformed", lambda: forged({"alg": "EdDSA", "kid": 1}, OURS.sign())),
    "something critical that is not known": ("jwt-malformed", lambda: OURS.sign({"crit": ["x"], "x": 1})),
    "an unencoded payload": ("jwt-malformed", lambda: OURS.sign({"crit": ["b64"], "b64": False})),
    "nothing critical, and says so": ("jwt-malformed", lambda: OURS.sign({"crit": []})),
    "claims that are no JSON": (
        "jwt-malformed",
        lambda: jwt.api_jws.encode(b"{", OURS.private, "EdDSA", {"kid": "ours"}),
    ),
    "claims that are a list": (
        "jwt-malformed",
        lambda: jwt.api_jws.encode(b"[]", OURS.private, "EdDSA", {"kid": "ours"}),
    ),
    "unsigned": ("jwt-algorithm", lambda: forged({"alg": "none", "kid": "ours"}, OURS.sign()).rpartition(".")[0] + "."),
    "unsigned, in capitals": ("jwt-algorithm", lambda: forged({"alg": "NONE"}, OURS.sign())),
    "signed with the public key": ("jwt-algorithm", hs256_with_the_public_key),
    "of an algorithm that nobody knows": ("jwt-algorithm", lambda: forged({"alg": "XS256"}, OURS.sign())),
    "of a curve that is not taken": ("jwt-algorithm", lambda: forged({"alg": "ES256K"}, OURS.sign())),
    "of an algorithm that its key is not for": (
        "jwt-algorithm",
        lambda: rsa_signer()._replace(algorithm="PS256").sign({"kid": "rsa"}),
    ),
    "of a key of another type": ("jwt-algorithm", lambda: OURS.sign({"kid": "rsa"})),
    "of a key that nobody knows": ("jwt-signing-key", lambda: OURS.sign({"kid": "theirs"})),
    "of another's key": ("jwt-signature", OTHER.sign),
    "changed": ("jwt-signature", lambda: changed(OURS.sign(), koshel_ledger="shop")),
    "with another header": ("jwt-signature", lambda: forged({"alg": "EdDSA", "kid": "ours"}, OURS.sign())),
    "without a signature": ("jwt-signature", lambda: OURS.sign().rpartition(".")[0] + "."),
    "with a signature of other length": ("jwt-signature", lambda: OURS.sign() + "AAAA"),
    "without exp": ("jwt-claims", lambda: OURS.sign(exp=None)),
    "without aud": ("jwt-claims", lambda: OURS.sign(aud=None)),
    "without iss": ("jwt-claims", lambda: OURS.sign(iss=None)),
    "without sub": ("jwt-claims", lambda: OURS.sign(sub=None)),
    "with an empty sub": ("jwt-claims", lambda: OURS.sign(sub="")),
    "with a sub that is a number": ("jwt-malformed", lambda: OURS.sign(sub=7)),
    "with an exp that is no time": ("jwt-malformed", lambda: OURS.sign(exp="soon")),
    "with an infinite exp": ("jwt-malformed", lambda: OURS.sign(exp=float("inf"))),
    "expired": ("jwt-expired", lambda: OURS.sign(exp=int(time.time()) - LEEWAY_S - 2)),
    "expired long ago": ("jwt-expired", lambda: OURS.sign(exp=-(10**30))),
    "not yet valid": ("jwt-not-yet-valid", lambda: OURS.sign(nbf=int(time.time()) + LEEWAY_S + 60)),
    "issued in the future": ("jwt-not-yet-valid", lambda: OURS.sign(iat=int(time.time()) + LEEWAY_S + 60)),
    "of another issuer": ("jwt-issuer", lambda: OURS.sign(iss="https://login.example.com")),
    "for another audience": ("jwt-audience", lambda: OURS.sign(aud="koshel2")),
    "for other audiences": ("jwt-audience", lambda: OURS.sign(aud=["a", "b"])),
    "for an audience that is no text": ("jwt-audience", lambda: OURS.sign(aud={"koshel": 1})),
    "without a scope": ("jwt-scope", lambda: OURS.sign(scope=None)),
    "of other scopes": ("jwt-scope", lambda: OURS.sign(scope="openid koshel koshel:all write KOSHEL:READ")),
    "of a scope that is no text": ("jwt-scope", lambda: OURS.sign(scope={"koshel:read": True})),
    "with scopes that are no text": ("jwt-scope", lambda: OURS.sign(scope=[1, None, ["koshel:read"]])),
    "without a ledger": ("jwt-ledger", lambda: OURS.sign(koshel_ledger=None)),
    "with a ledger that is no name": ("jwt-ledger", lambda: OURS.sign(koshel_ledger="main\0")),
    "with several ledgers": ("jwt-ledger", lambda: OURS.sign(koshel_ledger=["main", "shop"])),
}
