"""The routes: the list is the application. The router and the OpenAPI document read the same table."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from koshel.http import meta, wallet, wire
from koshel.http.call import Call, Reply
from koshel.http.problems import ProblemDocument

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]


class Route(Struct, frozen=True):
    """One route. `replies` is the type of the body by status; `problems` are the codes of its errors."""

    method: str
    path: str
    summary: str
    handler: Handler
    body: type[Struct] | None = None
    replies: Mapping[int, type[Struct] | str] = {}
    problems: Sequence[str] = ()


_POST = (
    "malformed-json",
    "unsupported-media-type",
    "body-too-large",
    "request-timeout",
    "validation-failed",
    "idempotency-key-reused",
    "overloaded",
    "database-unavailable",
    "outcome-unknown",
)
_MOVE = (*_POST, "account-not-found", "insufficient-funds", "balance-limit-exceeded")

ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/account",
        "Open an account",
        wallet.open_account,
        wire.AccountRequest,
        {201: wire.Account},
        (*_POST, "unknown-currency"),
    ),
    Route(
        "GET",
        "/account/{id}",
        "Read an account",
        wallet.get_account,
        None,
        {200: wire.Account, 304: ""},
        ("account-not-found", "database-unavailable"),
    ),
    Route(
        "POST",
        "/account/{id}/payment",
        "Pay money in",
        wallet.pay,
        wire.PaymentRequest,
        {201: wire.Transaction},
        tuple(code for code in _MOVE if code != "insufficient-funds"),
    ),
    Route(
        "POST",
        "/account/{id}/withdrawal",
        "Pay money out",
        wallet.withdraw,
        wire.WithdrawalRequest,
        {201: wire.Transaction},
        tuple(code for code in _MOVE if code != "balance-limit-exceeded"),
    ),
    Route(
        "POST",
        "/transaction",
        "Transfer money",
        wallet.transfer,
        wire.TransactionRequest,
        {201: wire.Transaction},
        (*_MOVE, "same-account", "currency-mismatch"),
    ),
    Route(
        "GET",
        "/transaction/{id}",
        "Read a transaction",
        wallet.get_transaction,
        None,
        {200: wire.Transaction},
        ("transaction-not-found", "database-unavailable"),
    ),
    Route("GET", "/health/live", "Whether the process answers", meta.live, None, {200: meta.Health}),
    Route(
        "GET",
        "/health/ready",
        "Whether the database answers and its schema is current",
        meta.ready,
        None,
        {200: meta.Health},
        ("database-unavailable",),
    ),
    Route("GET", "/problem/{code}", "What a problem means", meta.problem, None, {200: ProblemDocument}, ("not-found",)),
    Route("GET", "/openapi.json", "This document", meta.openapi, None, {200: "application/json"}),
    Route("GET", "/docs", "This document, to read", meta.docs, None, {200: "text/html"}),
)
