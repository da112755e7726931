"""What a JWT says (RFC 7519), if it is signed by its issuer, for this service, and for now.

    header.claims.signature ──header──▶ which key ──signature, issuer, audience, times──▶ claims ──▶ ledger, scope, who

Signatures are asymmetric: who can verify one cannot make one. So `none` and HS256 are refused, whatever key they name,
and a key is asked for its own algorithms only. No extension is known: what calls one critical is refused.
"""

import time
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import jwt
import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from koshel.access.signing_keys import ALGORITHMS, SigningKey
from koshel.api_keys import looks_secret
from koshel.callers import JwtReason, Scope, Unauthenticated
from koshel.inputs.texts import is_ledger_name

LENGTH_MAX = 8_000  # characters
LEEWAY_S = 30  # that the issuer's clock may be before or behind this one's
VERIFIED_MAX_S = 3_600  # after which even a JWT that lasts longer is verified again: clocks are set
SUBJECT_MAX = 100  # characters of a subject that is shown as it is
DIGEST_DIGITS = 16
REQUIRED = ["exp", "iss", "aud", "sub"]

_SCOPES = {f"koshel:{scope}": scope for scope in Scope}
_REASONS: Sequence[tuple[type[jwt.PyJWTError], JwtReason]] = (
    (jwt.InvalidSignatureError, "jwt-signature"),
    (jwt.InvalidAlgorithmError, "jwt-algorithm"),
    (jwt.MissingRequiredClaimError, "jwt-claims"),
    (jwt.ImmatureSignatureError, "jwt-not-yet-valid"),
    (jwt.ExpiredSignatureError, "jwt-expired"),
    (jwt.InvalidIssuerError, "jwt-issuer"),
    (jwt.InvalidAudienceError, "jwt-audience"),
    (jwt.PyJWTError, "jwt-malformed"),
)
_decoder = jwt.PyJWT({"require": REQUIRED, "enforce_minimum_key_length": True})


class Terms(Struct, frozen=True):
    """Which JWTs are for this service, and where they say what counts."""

    issuer: str
    audience: str
    ledger_claim: str
    scope_claim: str


class Header(Struct, frozen=True):
    """Which key has signed a JWT, and how; nothing of it is proved."""

    alg: str
    kid: str | None = None
    crit: Raw | UnsetType = UNSET


class Claims(Struct, frozen=True):
    """What a JWT says that is right."""

    ledger: str
    scope: Scope
    key_id: str
    remaining_s: float  # until it ends, with the leeway; an hour at most


def header_of(token: str) -> Header:
    """The header of a JWT, which says which key is to be asked. Raises Unauthenticated for what cannot be right."""
    if len(token) > LENGTH_MAX or not token.isascii() or token.count(".") != 2:
        raise Unauthenticated("jwt-malformed")
    try:
        header = msgspec.json.decode(urlsafe_b64decode(token.partition(".")[0] + "=="), type=Header)
    except (Base64Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unauthenticated("jwt-malformed") from error
    if header.crit is not UNSET:
        raise Unauthenticated("jwt-malformed")
    if header.alg not in ALGORITHMS:
        raise Unauthenticated("jwt-algorithm")
    return header


def claims_of(token: str, key: SigningKey, terms: Terms) -> Claims:
    """What the JWT says. Raises Unauthenticated."""
    try:
        claims = _decoder.decode(
            token,
            key.public,
            algorithms=sorted(key.algorithms),
            audience=terms.audience,
            issuer=terms.issuer,
            leeway=LEEWAY_S,
        )
    except jwt.PyJWTError as error:
        raise Unauthenticated(next(reason for kind, reason in _REASONS if isinstance(error, kind))) from error
    if not claims["sub"]:
        raise Unauthenticated("jwt-claims")
    scope, ledger = _scope(claims.get(terms.scope_claim)), claims.get(terms.ledger_claim)
    if scope is None:
        raise Unauthenticated("jwt-scope")
    if not isinstance(ledger, str) or not is_ledger_name(ledger):
        raise Unauthenticated("jwt-ledger")
    return Claims(ledger, scope, _key_id(claims["sub"]), _remaining_s(claims))


def _remaining_s(claims: Mapping[str, Any]) -> float:
    now = time.time()
    ends = min(int(claims["exp"]), int(now) + VERIFIED_MAX_S)  # the former may be a number of a thousand digits
    return ends + LEEWAY_S - now


def _scope(claim: object) -> Scope | None:
    """The greatest scope that the claim grants: words with blanks between (RFC 8693), or a list of them."""
    words = claim.split(" ") if isinstance(claim, str) else claim if isinstance(claim, list) else []
    granted = {_SCOPES[word] for word in words if isinstance(word, str) and word in _SCOPES}
    return next((scope for scope in reversed(Scope) if scope in granted), None)


def _key_id(subject: str) -> str:
    """What its requests are known by in logs and rates: the subject, or its digest where a log cannot have it.

    An email is personal, a key is secret, and a log has neither. A sharp sign marks a digest,
    so that no subject is taken for one.
    """
    is_shown = subject.isascii() and subject.isprintable() and len(subject) <= SUBJECT_MAX
    if is_shown and subject[0] != "#" and "." not in subject.partition("@")[2] and not looks_secret(subject):
        return f"jwt:{subject}"
    return f"jwt:#{sha256(subject.encode(errors='surrogatepass')).hexdigest()[:DIGEST_DIGITS]}"
