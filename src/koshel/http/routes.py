"""The routes: the list is the application. The router and the OpenAPI document read the same table."""

from collections.abc import Sequence

from msgspec import Struct

from koshel.http import accounts, bodies, meta, transactions, wire
from koshel.http.parameters import ChangeHeaders, DryRun, KeyHeader, MoneyHeaders, ReadHeaders
from koshel.http.preconditions import OF_CACHES
from koshel.http.problems import ProblemDocument
from koshel.http.route import Asks, Route

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


def _making(path: str, summary: str, name: str, *, body: type[Struct], asks: Asks, problems: Sequence[str]) -> Route:
    """A route that makes one transaction: now, in the background, or only as it would be."""
    replies = dict.fromkeys((200, 201, 202), wire.Transaction)
    said = {200: "A dry run: what would happen."}
    return Route(
        "POST",
        path,
        summary,
        name,
        None,
        body,
        replies,
        problems,
        asks=asks,
        said=said,
        query=DryRun,
        headers=MoneyHeaders,
    )


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
        headers=KeyHeader,
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
        headers=ReadHeaders,
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
        headers=ChangeHeaders,
    ),
    _making(
        "/account/{id}/payment",
        "Pay money in",
        "pay_in",
        body=bodies.PaymentRequest,
        asks=accounts.pay,
        problems=tuple(code for code in _MOVE if code != "insufficient-funds"),
    ),
    _making(
        "/account/{id}/withdrawal",
        "Pay money out",
        "pay_out",
        body=bodies.WithdrawalRequest,
        asks=accounts.withdraw,
        problems=tuple(code for code in _MOVE if code != "balance-limit-exceeded"),
    ),
    _making(
        "/transaction",
        "Transfer money, or hold it for a transfer or a withdrawal",
        "transfer",
        body=bodies.TransactionRequest,
        asks=transactions.transfer,
        problems=(*_MOVE, "same-account", "currency-mismatch"),
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
        said={200: "Not atomic: what became of each member. Or a dry run: what would."},
        query=DryRun,
        headers=KeyHeader,
        bytes_max="batch_body_bytes_max",
        weight=2,
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
    _making(
        "/transaction/{id}/capture",
        "Move what a hold reserves, or a part of it",
        "capture_hold",
        body=bodies.CaptureRequest,
        asks=transactions.capture,
        problems=(*_HELD, "account-frozen", "account-closed", "capture-exceeds-hold", "balance-limit-exceeded"),
    ),
    _making(
        "/transaction/{id}/void",
        "Release what a hold reserves",
        "void_hold",
        body=bodies.VoidRequest,
        asks=transactions.void,
        problems=_HELD,
    ),
    _making(
        "/transaction/{id}/refund",
        "Send money back, all or a part of it",
        "refund",
        body=bodies.RefundRequest,
        asks=transactions.refund,
        problems=(
            *(*_MONEY, "transaction-not-found", "not-refundable", "refund-exceeds-original"),
            *("insufficient-funds", "balance-limit-exceeded"),
        ),
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
        passes_over=OF_CACHES,
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
        passes_over=OF_CACHES,
    ),
    Route(
        "GET",
        "/openapi.json",
        "This document",
        "get_openapi",
        meta.openapi,
        None,
        {200: "application/json"},
        passes_over=OF_CACHES,
    ),
    Route(
        "GET",
        "/docs",
        "This document, to read",
        "get_docs",
        meta.docs,
        None,
        {200: "text/html"},
        passes_over=OF_CACHES,
    ),
)
