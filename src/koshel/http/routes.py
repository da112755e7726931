"""The routes: the list is the application. The router and the OpenAPI document read the same table."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from koshel.http import accounts, bodies, meta, transactions, wire
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
    dry_run: bool = False  # it takes ?dry_run=true, and 200 is then the reply
    later: bool = False  # it takes Prefer: respond-async, and 202 is then the reply
    is_batch: bool = False  # its body may be larger


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
_MONEY = (*_POST, "account-frozen", "account-closed")
_MOVE = (*_MONEY, "account-not-found", "insufficient-funds", "balance-limit-exceeded")
_HELD = (*_POST, "transaction-not-found", "not-a-hold", "hold-not-open", "hold-expired")
_TRANSACTION: Mapping[int, type[Struct]] = {200: wire.Transaction, 201: wire.Transaction, 202: wire.Transaction}

ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/account",
        "Open an account",
        accounts.open_account,
        bodies.AccountRequest,
        {201: wire.Account},
        (*_POST, "unknown-currency"),
    ),
    Route(
        "GET",
        "/account/{id}",
        "Read an account",
        accounts.get_account,
        None,
        {200: wire.Account, 304: ""},
        ("account-not-found", "database-unavailable"),
    ),
    Route(
        "PATCH",
        "/account/{id}",
        "Change an account: its limits, its status, whose it is",
        accounts.change_account,
        bodies.AccountChange,
        {200: wire.Account},
        (
            *(*_POST, "account-not-found", "version-mismatch", "account-closed", "account-not-empty"),
            *("insufficient-funds", "balance-limit-exceeded"),
        ),
    ),
    Route(
        "POST",
        "/account/{id}/payment",
        "Pay money in",
        accounts.pay,
        bodies.PaymentRequest,
        _TRANSACTION,
        tuple(code for code in _MOVE if code != "insufficient-funds"),
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/account/{id}/withdrawal",
        "Pay money out",
        accounts.withdraw,
        bodies.WithdrawalRequest,
        _TRANSACTION,
        tuple(code for code in _MOVE if code != "balance-limit-exceeded"),
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction",
        "Transfer money, or hold it for a transfer or a withdrawal",
        transactions.transfer,
        bodies.TransactionRequest,
        _TRANSACTION,
        (*_MOVE, "same-account", "currency-mismatch"),
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction/batch",
        "Make up to 1,000 transactions together",
        transactions.batch,
        bodies.BatchRequest,
        {200: wire.BatchReply, 201: wire.BatchReply},
        (*_POST, "batch-refused"),
        dry_run=True,
        is_batch=True,
    ),
    Route(
        "GET",
        "/transaction/{id}",
        "Read a transaction",
        transactions.get_transaction,
        None,
        {200: wire.Transaction},
        ("transaction-not-found", "database-unavailable"),
    ),
    Route(
        "POST",
        "/transaction/{id}/capture",
        "Move what a hold reserves, or a part of it",
        transactions.capture,
        bodies.CaptureRequest,
        _TRANSACTION,
        (*_HELD, "account-frozen", "account-closed", "capture-exceeds-hold", "balance-limit-exceeded"),
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction/{id}/void",
        "Release what a hold reserves",
        transactions.void,
        bodies.VoidRequest,
        _TRANSACTION,
        _HELD,
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction/{id}/refund",
        "Send money back, all or a part of it",
        transactions.refund,
        bodies.RefundRequest,
        _TRANSACTION,
        (
            *(*_MONEY, "transaction-not-found", "not-refundable", "refund-exceeds-original"),
            *("insufficient-funds", "balance-limit-exceeded"),
        ),
        dry_run=True,
        later=True,
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
    Route(
        "GET",
        "/health/queue",
        "How many background transactions wait, and for how long",
        meta.queue,
        None,
        {200: wire.Queue},
        ("database-unavailable",),
    ),
    Route("GET", "/problem/{code}", "What a problem means", meta.problem, None, {200: ProblemDocument}, ("not-found",)),
    Route("GET", "/openapi.json", "This document", meta.openapi, None, {200: "application/json"}),
    Route("GET", "/docs", "This document, to read", meta.docs, None, {200: "text/html"}),
)
