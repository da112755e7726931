"""The public keys that an issuer signs JWTs with, as its JWKS has them (RFC 7517).

A key verifies what it is for, and nothing else: the algorithm that it names, or those of its type. What is not an
asymmetric key for signatures is passed over, and so is a private part that should not be there.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TypeAlias

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Raw, Struct

from koshel.callers import Unauthenticated

BYTES_MAX = 256 * 1024  # of a JWKS
KEYS_MAX = 100  # of one JWKS that are looked at
RSA_BITS_MIN, RSA_BITS_MAX = 2_048, 8_192  # a larger one takes a millisecond to verify with

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_ALGORITHMS: Mapping[tuple[str, str | None], frozenset[str]] = {  # by type and curve
    ("RSA", None): frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}
ALGORITHMS = frozenset().union(*_ALGORITHMS.values())


class Unusable(Exception):
    """A JWKS without any key that can be used, or what is none; the message says why."""


class SigningKey(Struct, frozen=True):
    """One public key: what a JWT calls it, what it may verify, and by which digest of all that it is known."""

    id: str | None
    algorithms: frozenset[str]
    public: PublicKey
    digest: bytes


class SigningKeys:
    """Those of one issuer."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = keys
        self.digests = frozenset(one.digest for one in keys)

    def find(self, key_id: str | None, algorithm: str) -> SigningKey | None:
        """The key that a JWT names, None if there is none. Raises Unauthenticated if it is not for the algorithm.

        A JWT that names none means the only one there is for its algorithm. Of two keys with one name the first counts.
        """
        named = [one for one in self._keys if key_id is None or one.id == key_id]
        able = [one for one in named if algorithm in one.algorithms]
        if named and not able:
            raise Unauthenticated("jwt-algorithm")
        return able[0] if len(able) == 1 or (able and key_id is not None) else None


class _Jwk(Struct):
    """The members of a key that count: the public ones."""

    kty: str
    kid: str | None = None
    alg: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None


class _Jwks(Struct):
    keys: list[Raw]


def read(document: bytes) -> SigningKeys:
    """The keys of a JWKS. Raises Unusable."""
    if len(document) > BYTES_MAX:
        raise Unusable(f"it is larger than {BYTES_MAX} bytes")
    try:
        found = msgspec.json.decode(document, type=_Jwks).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"it is no JWKS: {error}") from error
    keys = [key for one in found[:KEYS_MAX] if (key := _key(one)) is not None]
    if not keys:
        raise Unusable("it has no public key for one of the algorithms " + ", ".join(sorted(ALGORITHMS)))
    return SigningKeys(keys)


def _key(text: Raw) -> SigningKey | None:
    """The key, None if it is not one that a JWT may be signed with."""
    try:
        jwk = msgspec.json.decode(text, type=_Jwk)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    algorithms = _ALGORITHMS.get((jwk.kty, jwk.crv), frozenset())
    if jwk.alg is not None:
        algorithms &= {jwk.alg}
    if not algorithms or jwk.use not in {None, "sig"} or "verify" not in (jwk.key_ops or ["verify"]):
        return None
    members = {name: value for name in ("kty", "crv", "n", "e", "x", "y") if (value := getattr(jwk, name)) is not None}
    try:
        public = jwt.PyJWK(members, min(algorithms)).key
    except (jwt.PyJWTError, UnsupportedAlgorithm):
        return None
    if isinstance(public, RSAPublicKey) and not RSA_BITS_MIN <= public.key_size <= RSA_BITS_MAX:
        return None
    return SigningKey(jwk.kid, algorithms, public, sha256(msgspec.json.encode(jwk)).digest())
