"""Who sends a request, and whether it may: the Authorization header (RFC 6750), and the scope that a route needs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiohttp import web

from koshel.access.authentication import Authentication
from koshel.api_keys import JWT_BEGINS, PREFIX
from koshel.callers import ANYBODY, Caller, Reason, Scope, Unauthenticated
from koshel.config.proxies import is_passed_on
from koshel.db.errors import StoreError
from koshel.http.problems import Failure
from koshel.http.response import CALLER
from koshel.http.route import Route
from koshel.telemetry import metrics

NOBODY = Caller(0, "", Scope.READ)  # of a route that is open to everybody, and tells nothing of any ledger

_HEADER = f"Authorization: Bearer {PREFIX}…"
_CHALLENGE = 'Bearer realm="koshel"'


class _Refusal(NamedTuple):
    detail: str
    error: str  # as RFC 6750 has it


_REFUSALS: Mapping[Reason, _Refusal] = {
    "absent": _Refusal(f"Say who you are by an API key: {_HEADER}", ""),
    "malformed": _Refusal(f"This is no API key; one is sent so: {_HEADER}", "invalid_token"),
    "twice": _Refusal("The header Authorization must come once.", "invalid_request"),
    "query": _Refusal(
        f"A key in the query ends up in logs: send it so, {_HEADER}, and rotate the one that was sent.",
        "invalid_request",
    ),
    "passed-on": _Refusal(
        "A proxy passes on requests of other machines, so a key is needed, and there is none yet: make one with `koshel"
        " key create`, or set KOSHEL_AUTH=off if whoever reaches the proxy may do everything.",
        "",
    ),
    "unknown": _Refusal("This API key is not known.", "invalid_token"),
    "revoked": _Refusal("This API key was revoked.", "invalid_token"),
    "expired": _Refusal("This API key has expired.", "invalid_token"),
    "jwt-malformed": _Refusal(
        "This JWT cannot be read, or it calls something critical that is not known here.", "invalid_token"
    ),
    "jwt-algorithm": _Refusal(
        "This JWT's algorithm is not taken, or is not one of the key that it names.", "invalid_token"
    ),
    "jwt-signing-key": _Refusal("The issuer has no key that this JWT could be signed with.", "invalid_token"),
    "jwt-signature": _Refusal("This JWT's signature is wrong.", "invalid_token"),
    "jwt-claims": _Refusal("This JWT lacks one of the claims exp, iss, aud and sub.", "invalid_token"),
    "jwt-not-yet-valid": _Refusal("This JWT is not valid yet.", "invalid_token"),
    "jwt-expired": _Refusal("This JWT has expired.", "invalid_token"),
    "jwt-issuer": _Refusal("This JWT is another issuer's.", "invalid_token"),
    "jwt-audience": _Refusal("This JWT is for another audience.", "invalid_token"),
    "jwt-scope": _Refusal(
        "This JWT has none of the scopes koshel:read, koshel:write and koshel:admin.", "invalid_token"
    ),
    "jwt-ledger": _Refusal("This JWT names no ledger that is here.", "invalid_token"),
}


def unauthenticated(reason: Reason) -> Failure:
    """The failure of a request of which nobody knows who sends it."""
    detail, error = _REFUSALS[reason]
    challenge = f'{_CHALLENGE}, error="{error}"' if error else _CHALLENGE
    return Failure("unauthorized", detail, {"WWW-Authenticate": challenge})


def token_of(header: str) -> str:
    """The token of an Authorization header. Raises Unauthenticated."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("malformed")
    return token.strip(" ")


async def caller_of(request: web.Request, route: Route, authentication: Authentication | None) -> Caller:
    """Who sends the request, if it may be sent to the route.

    Raises Failure, Unauthenticated, IssuerUnavailable, StoreError.
    """
    if route.scope is None:
        return NOBODY
    if authentication is None or not await authentication.check():
        if authentication is not None and is_passed_on(request.headers):
            raise Unauthenticated("passed-on")
        request[CALLER] = ANYBODY
        return ANYBODY
    if request.rel_url.raw_query_string and _has_token(request.query_string, authentication):
        raise Unauthenticated("query")
    token = token_of(_only(request.headers.getall("Authorization", ())))
    try:
        caller = await authentication.find(token)
    except StoreError:
        known = authentication.remembered(token.encode(), even_if_old=True) if route.outlives_database else None
        if known is None:
            raise
        caller = known
    request[CALLER] = caller
    check_scope(caller, route)
    return caller


def _has_token(query: str, authentication: Authentication) -> bool:
    return PREFIX in query or (authentication.takes_jwts and JWT_BEGINS in query and query.count(".") > 1)


def check_scope(caller: Caller, route: Route) -> None:
    """Raises Failure if the caller may not do what the route does."""
    assert isinstance(route.scope, Scope)
    if not caller.scope.includes(route.scope):
        metrics.key_refused("scope")
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{route.scope}"'
        detail = f"This needs a key of scope {route.scope}; this one has {caller.scope}."
        raise Failure("forbidden", detail, {"WWW-Authenticate": challenge}, scope=route.scope.value)
    if route.is_for_operator and not caller.is_operator:
        raise for_operator("This needs a key of scope admin of the ledger main.")


def for_operator(detail: str) -> Failure:
    """The failure of a request that only the operator may send; it is counted."""
    metrics.key_refused("scope")
    challenge = f'{_CHALLENGE}, error="insufficient_scope"'
    return Failure("forbidden", detail, {"WWW-Authenticate": challenge}, scope=Scope.ADMIN.value)


def _only(headers: Sequence[str]) -> str:
    if len(headers) != 1:
        raise Unauthenticated("twice" if headers else "absent")
    return headers[0]
