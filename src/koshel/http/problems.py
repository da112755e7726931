"""Problem documents (RFC 9457): every error, by code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct


class Problem(Struct, frozen=True):
    """One kind of error. `retryable`: the same request may succeed later; `closes`: the connection ends with it."""

    status: int
    title: str
    when: str
    retryable: bool = False
    closes: bool = False


class ProblemDocument(Struct, frozen=True):
    """RFC 9457, with `code` and `retryable`; a problem may have members of its own."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    retryable: bool


PROBLEMS: Mapping[str, Problem] = {
    "malformed-request": Problem(400, "Malformed request", "The request is not valid HTTP.", closes=True),
    "malformed-json": Problem(400, "Malformed JSON", "The body is not JSON."),
    "unsupported-media-type": Problem(415, "Unsupported media type", "The route does not take this Content-Type."),
    "body-too-large": Problem(413, "Body too large", "The body is over the limit.", closes=True),
    "headers-too-large": Problem(431, "Headers too large", "A header line is over the limit.", closes=True),
    "request-timeout": Problem(408, "Request timeout", "The body did not arrive in time.", retryable=True, closes=True),
    "cross-site": Problem(
        403, "Cross site", "The request comes from a page of another site, or its Host is not a name of this service."
    ),
    "unauthorized": Problem(
        401,
        "Unauthorized",
        "The request has no API key and no JWT, or its key or JWT is unknown, revoked or expired.",
    ),
    "forbidden": Problem(403, "Forbidden", "The API key's scope does not allow this."),
    "not-found": Problem(404, "Not found", "There is no such route."),
    "method-not-allowed": Problem(405, "Method not allowed", "The route has other methods; see Allow."),
    "validation-failed": Problem(422, "Validation failed", "A field is missing, unknown or out of range."),
    "filter-not-indexed": Problem(
        422,
        "Filter not indexed",
        "No index can find what these filters ask for alone; add one of add_one_of.",
    ),
    "history-archived": Problem(
        410, "History archived", "The transactions that the answer needs were archived; nobody can read them here."
    ),
    "too-many-value-dates": Problem(
        422,
        "Too many value dates",
        "Too many lines of the account count for another day than their own to be added up.",
    ),
    "volume-too-large": Problem(
        422, "Volume too large", "There are more transactions, or more sums, than one answer may have; see fits_until."
    ),
    "account-not-found": Problem(404, "Account not found", "There is no such account."),
    "transaction-not-found": Problem(404, "Transaction not found", "There is no such transaction."),
    "split-not-found": Problem(404, "Split not found", "There is no such split."),
    "key-not-found": Problem(404, "Key not found", "There is no such API key."),
    "key-not-usable": Problem(409, "Key not usable", "The API key was revoked or has expired."),
    "last-admin-key": Problem(
        409, "Last admin key", "Without the API key nobody could make keys of its ledger over HTTP any more."
    ),
    "ledger-name-taken": Problem(409, "Ledger name taken", "There is a ledger of this name already."),
    "unknown-currency": Problem(
        422, "Unknown currency", "The currency is not registered, and ISO 4217 has no decimals for it."
    ),
    "name-taken": Problem(
        409,
        "Name taken",
        "Another account has the name, or the account with this name has another value in a field; see field.",
    ),
    "same-account": Problem(422, "Same account", "Source equals target."),
    "currency-mismatch": Problem(422, "Currency mismatch", "The two accounts have different currencies."),
    "same-currency": Problem(422, "Same currency", "Source and target of an exchange are in one currency."),
    "insufficient-funds": Problem(409, "Insufficient funds", "The source cannot spend that much."),
    "balance-limit-exceeded": Problem(409, "Balance limit exceeded", "The target would pass its maximum."),
    "limit-exceeded": Problem(
        409,
        "Limit exceeded",
        "The account would pass one of its limits by time; see fits_at.",
        retryable=True,
    ),
    "hold-not-open": Problem(409, "Hold not open", "The hold is captured, voided, or not made yet."),
    "hold-expired": Problem(409, "Hold expired", "The hold has expired."),
    "not-a-hold": Problem(409, "Not a hold", "The transaction to be captured or voided is not a hold."),
    "not-refundable": Problem(409, "Not refundable", "The transaction has moved no money, or is a refund itself."),
    "not-posted": Problem(
        409, "Not posted", "The transaction is queued, or was declined or cancelled: it takes no notes."
    ),
    "not-cancellable": Problem(409, "Not cancellable", "The transaction is decided already."),
    "version-mismatch": Problem(
        412, "Version mismatch", "If-Match names another version of the account, or If-None-Match this one."
    ),
    "account-closed": Problem(409, "Account closed", "The account is closed, for ever."),
    "account-frozen": Problem(409, "Account frozen", "The account lets no money in or out."),
    "account-not-empty": Problem(409, "Account not empty", "An account with money or holds cannot be closed."),
    "account-not-closed": Problem(
        409, "Account not closed", "Only the personal data of a closed account can be erased."
    ),
    "capture-exceeds-hold": Problem(409, "Capture exceeds hold", "The hold does not reserve that much any more."),
    "refund-exceeds-original": Problem(409, "Refund exceeds original", "Not that much of the transaction is left."),
    "batch-refused": Problem(
        409,
        "Batch refused",
        "A member of an atomic batch, or a hold of a split, was refused, so nothing was done; see index and cause.",
    ),
    "idempotency-key-reused": Problem(422, "Idempotency key reused", "The same key came with another request."),
    "rate-limited": Problem(
        429, "Rate limited", "The key, or its ledger, sends more than it may; see RateLimit-Policy.", retryable=True
    ),
    "overloaded": Problem(
        503, "Overloaded", "The queue is full or the service is stopping; nothing was done.", retryable=True
    ),
    "database-unavailable": Problem(
        503, "Database unavailable", "The database cannot be used; nothing was done.", retryable=True
    ),
    "issuer-unavailable": Problem(
        503, "Issuer unavailable", "The keys that verify JWTs cannot be read now; nothing was done.", retryable=True
    ),
    "outcome-unknown": Problem(
        503,
        "Outcome unknown",
        "The commit could be neither confirmed nor denied. Repeat with the same Idempotency-Key.",
        retryable=True,
    ),
    "internal-error": Problem(500, "Internal error", "A fault of ours; the log has it under the request's id."),
}

RETRY_AFTER_S = 1
TEXT_MAX = 1_000  # characters of a text in a problem, which may repeat what a caller sent
SHOWN_MAX = 100  # characters of a header or a path that is shown to its sender


class Failure(Exception):
    """An error for the caller: a problem's code, what exactly happened, and the problem's own members."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None, /, **members: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = printable(detail)
        self.members = {name: _sendable(value) for name, value in members.items()}
        self.headers = dict(headers or {})
        if PROBLEMS[code].status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_S))

    def content(self) -> dict[str, Any]:
        """The problem document."""
        return document(self.code, self.detail, **self.members)

    def document(self) -> bytes:
        """The reply's body."""
        return msgspec.json.encode(self.content()) + b"\n"


def printable(text: str, most: int = TEXT_MAX) -> str:
    """A text that anybody may have sent, to be shown: cut, and with `?` for each character that cannot be printed."""
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)


def quoted(text: str) -> str:
    """A caller's header or path within a sentence."""
    return f'"{printable(text, SHOWN_MAX)}"'


def _sendable(value: Any) -> Any:
    """The value of a problem's member: exact, but cut, and with `?` for what JSON cannot carry."""
    match value:
        case str():
            return value[:TEXT_MAX].encode(errors="replace").decode()
        case list():
            return [_sendable(one) for one in value]
        case dict():
            return {name: _sendable(one) for name, one in value.items()}
        case _:
            return value


def document(code: str, detail: str, **members: Any) -> dict[str, Any]:
    """A problem document."""
    problem = PROBLEMS[code]
    return {
        "type": f"/problem/{code}",
        "title": problem.title,
        "status": problem.status,
        "code": code,
        "detail": detail,
        "retryable": problem.retryable,
        **dict(sorted(members.items())),  # the database does not keep their order, and a replayed problem is the same
    }


def validation_failed(pointer: str, detail: str) -> Failure:
    """One field that is wrong."""
    return Failure(
        "validation-failed", f"{pointer or 'The body'}: {detail}.", errors=[{"pointer": pointer, "detail": detail}]
    )


def header_invalid(name: str, detail: str) -> Failure:
    """A header that is wrong."""
    errors = [{"pointer": "", "header": name, "detail": detail}]
    return Failure("validation-failed", f"The header {name} {detail}.", errors=errors)


def parameter_invalid(name: str, detail: str) -> Failure:
    """A parameter that is wrong."""
    errors = [{"pointer": "", "parameter": name, "detail": detail}]
    return Failure("validation-failed", f"The parameter {printable(name, SHOWN_MAX)} {detail}.", errors=errors)


def account_not_found(account: int | str, **members: Any) -> Failure:
    """No account of this id or name, in the path or in the body."""
    if isinstance(account, int):
        return Failure("account-not-found", f"There is no account {account}.", account_id=account, **members)
    return Failure("account-not-found", f"There is no account @{account}.", name=account, **members)


def no_such_account(text: str) -> Failure:
    """What the path has can be no account's id and no account's name."""
    return Failure("account-not-found", f"There is no account {printable(text, SHOWN_MAX)}.")


def transaction_not_found(transaction_id: int | str, **members: Any) -> Failure:
    """No such transaction, in the path or in the body."""
    detail = f"There is no transaction {printable(str(transaction_id), SHOWN_MAX)}."
    named = {"transaction_id": transaction_id} if isinstance(transaction_id, int) else {}
    return Failure("transaction-not-found", detail, **named, **members)


def split_not_found(split_id: int | str) -> Failure:
    """No such split, in the path."""
    named = {"split_id": split_id} if isinstance(split_id, int) else {}
    return Failure("split-not-found", f"There is no split {printable(str(split_id), SHOWN_MAX)}.", **named)
