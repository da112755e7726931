"""The routes: the list is the application. The router and the OpenAPI document read the same table."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from koshel.core.commands import Request
from koshel.http import accounts, bodies, meta, transactions, wire
from koshel.http.answers import answer
from koshel.http.call import Call, Reply
from koshel.http.problems import ProblemDocument

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
Asks: TypeAlias = Callable[[Call], Request]


class Route(Struct, frozen=True):
    """One route. `replies` is the type of the body by status; `problems` are the codes of its errors.

    Either it has a `handler`, or it makes one transaction: then `asks` says for which command a call asks.
    """

    method: str
    path: str
    summary: str
    name: str  # the operationId: what a generated client calls it
    handler: Handler | None = None
    body: type[Struct] | None = None
    replies: Mapping[int, type[Struct] | str] = {}
    problems: Sequence[str] = ()
    asks: Asks | None = None
    dry_run: bool = False  # it takes ?dry_run=true, and 200 is then the reply
    later: bool = False  # it takes Prefer: respond-async, and 202 is then the reply
    is_batch: bool = False  # its body may be larger
    is_page: bool = False  # HTML for a browser, JSON otherwise

    async def answer(self, call: Call) -> Reply:
        """The reply to a call. Raises whatever is not one."""
        if self.asks is not None:
            return await answer(call, self.asks(call))
        assert self.handler is not None, self
        return await self.handler(call)


# What any request may be answered.
ALWAYS = ("malformed-request", "headers-too-large", "cross-site", "validation-failed", "internal-error")
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
        "open_account",
        accounts.open_account,
        bodies.AccountRequest,
        {201: wire.Account},
        (*_POST, "unknown-currency"),
    ),
    Route(
        "GET",
        "/account/{id}",
        "Read an account",
        "get_account",
        accounts.get_account,
        None,
        {200: wire.Account, 304: ""},
        ("account-not-found", "database-unavailable"),
    ),
    Route(
        "PATCH",
        "/account/{id}",
        "Change an account: its limits, its status, whose it is",
        "change_account",
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
        "pay_in",
        None,
        bodies.PaymentRequest,
        _TRANSACTION,
        tuple(code for code in _MOVE if code != "insufficient-funds"),
        asks=accounts.pay,
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/account/{id}/withdrawal",
        "Pay money out",
        "pay_out",
        None,
        bodies.WithdrawalRequest,
        _TRANSACTION,
        tuple(code for code in _MOVE if code != "balance-limit-exceeded"),
        asks=accounts.withdraw,
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction",
        "Transfer money, or hold it for a transfer or a withdrawal",
        "transfer",
        None,
        bodies.TransactionRequest,
        _TRANSACTION,
        (*_MOVE, "same-account", "currency-mismatch"),
        asks=transactions.transfer,
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction/batch",
        "Make up to 1,000 transactions together",
        "make_batch",
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
        "get_transaction",
        transactions.get_transaction,
        None,
        {200: wire.Transaction},
        ("transaction-not-found", "database-unavailable"),
    ),
    Route(
        "POST",
        "/transaction/{id}/capture",
        "Move what a hold reserves, or a part of it",
        "capture_hold",
        None,
        bodies.CaptureRequest,
        _TRANSACTION,
        (*_HELD, "account-frozen", "account-closed", "capture-exceeds-hold", "balance-limit-exceeded"),
        asks=transactions.capture,
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction/{id}/void",
        "Release what a hold reserves",
        "void_hold",
        None,
        bodies.VoidRequest,
        _TRANSACTION,
        _HELD,
        asks=transactions.void,
        dry_run=True,
        later=True,
    ),
    Route(
        "POST",
        "/transaction/{id}/refund",
        "Send money back, all or a part of it",
        "refund",
        None,
        bodies.RefundRequest,
        _TRANSACTION,
        (
            *(*_MONEY, "transaction-not-found", "not-refundable", "refund-exceeds-original"),
            *("insufficient-funds", "balance-limit-exceeded"),
        ),
        asks=transactions.refund,
        dry_run=True,
        later=True,
    ),
    Route(
        "GET",
        "/",
        "What this is, and where the rest is",
        "read_index",
        meta.index,
        None,
        {200: meta.Index},
        is_page=True,
    ),
    Route("GET", "/health/live", "Whether the process answers", "check_live", meta.live, None, {200: meta.Health}),
    Route(
        "GET",
        "/health/ready",
        "Whether the database answers and its schema is current",
        "check_ready",
        meta.ready,
        None,
        {200: meta.Readiness},
        ("database-unavailable",),
    ),
    Route(
        "GET",
        "/health/queue",
        "How many background transactions wait, and for how long",
        "measure_queue",
        meta.queue,
        None,
        {200: wire.QueueHealth},
        ("database-unavailable",),
    ),
    Route(
        "GET",
        "/problem/{code}",
        "What a problem means",
        "get_problem",
        meta.problem,
        None,
        {200: ProblemDocument},
        ("not-found",),
        is_page=True,
    ),
    Route("GET", "/openapi.json", "This document", "get_openapi", meta.openapi, None, {200: "application/json"}),
    Route("GET", "/docs", "This document, to read", "get_docs", meta.docs, None, {200: "text/html"}),
)
