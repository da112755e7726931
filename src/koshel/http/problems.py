"""Problem documents (RFC 9457): every error, by code, and how a refusal becomes one."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from koshel.core.model import Declined, Kind, Move, Refusal


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
    "malformed-request": Problem(400, "Malformed request", "The request is not HTTP as it should be.", closes=True),
    "malformed-json": Problem(400, "Malformed JSON", "The body is not JSON."),
    "unsupported-media-type": Problem(415, "Unsupported media type", "A body that does not claim to be JSON."),
    "body-too-large": Problem(413, "Body too large", "The body is over the limit.", closes=True),
    "headers-too-large": Problem(431, "Headers too large", "A header line is over the limit.", closes=True),
    "request-timeout": Problem(408, "Request timeout", "The body did not arrive in time.", retryable=True, closes=True),
    "not-found": Problem(404, "Not found", "There is no such route."),
    "method-not-allowed": Problem(405, "Method not allowed", "The route has other methods; see Allow."),
    "validation-failed": Problem(422, "Validation failed", "A field is missing, unknown or out of range."),
    "account-not-found": Problem(404, "Account not found", "There is no such account."),
    "transaction-not-found": Problem(404, "Transaction not found", "There is no such transaction."),
    "unknown-currency": Problem(422, "Unknown currency", "The currency is neither in ISO 4217 nor registered."),
    "same-account": Problem(422, "Same account", "Source equals target."),
    "currency-mismatch": Problem(422, "Currency mismatch", "The two accounts differ in currency."),
    "insufficient-funds": Problem(409, "Insufficient funds", "The source cannot spend that much."),
    "balance-limit-exceeded": Problem(409, "Balance limit exceeded", "The target would pass its maximum."),
    "idempotency-key-reused": Problem(422, "Idempotency key reused", "The same key came with another request."),
    "overloaded": Problem(
        503, "Overloaded", "The queue is full or the service is stopping; nothing was done.", retryable=True
    ),
    "database-unavailable": Problem(
        503, "Database unavailable", "The database cannot be used; nothing was done.", retryable=True
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


class Failure(Exception):
    """An error for the caller: a problem's code, what exactly happened, and the problem's own members."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None, /, **members: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.members = members
        self.headers = dict(headers or {})
        if PROBLEMS[code].status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            self.headers["Retry-After"] = str(RETRY_AFTER_S)

    def document(self) -> bytes:
        """The reply's body."""
        return msgspec.json.encode(document(self.code, self.detail, **self.members))


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


def refused(declined: Declined) -> Failure:
    """The problem of a refusal."""
    return _REFUSED[declined.refusal](declined, declined.facts)


Facts = Mapping[str, str | int]


def _idempotency_key_reused(_: Declined, facts: Facts) -> Failure:
    detail = f"This key came first with another request; {facts['field']} differs."
    return Failure("idempotency-key-reused", detail, **facts)


def _unknown_currency(_: Declined, facts: Facts) -> Failure:
    detail = f"{facts['currency']} is neither in ISO 4217 nor registered with `koshel currency add`."
    return Failure("unknown-currency", detail, **facts)


def _same_account(_: Declined, facts: Facts) -> Failure:
    return Failure("same-account", f"Account {facts['account_id']} is both source and target.", **facts)


def account_not_found(account_id: int | str, **members: Any) -> Failure:
    """No such account, in the path or in the body."""
    return Failure("account-not-found", f"There is no account {account_id}.", account_id=account_id, **members)


def _account_not_found(declined: Declined, facts: Facts) -> Failure:
    # A transfer names its accounts in the body, the others theirs in the path.
    in_body = isinstance(declined.command, Move) and declined.command.kind is Kind.TRANSFER
    return account_not_found(facts["account_id"], **({"pointer": f"/{facts['field']}"} if in_body else {}))


def _currency_mismatch(_: Declined, facts: Facts) -> Failure:
    detail = f"The source is in {facts['source_currency']}, the target in {facts['target_currency']}."
    return Failure("currency-mismatch", detail, **facts)


def _amount_out_of_range(_: Declined, facts: Facts) -> Failure:
    return validation_failed(
        "/amount", f"rounds to {facts['amount']} at the {facts['scale']} decimals of {facts['currency']}"
    )


def _insufficient_funds(_: Declined, facts: Facts) -> Failure:
    available, required = (f"{facts[name]} {facts['currency']}" for name in ("available", "required"))
    detail = f"Account {facts['account_id']} can spend {available}, {required} is needed."
    return Failure("insufficient-funds", detail, **facts)


def _balance_limit_exceeded(_: Declined, facts: Facts) -> Failure:
    detail = (
        f"Account {facts['account_id']} has {facts['balance']} and may have at most {facts['max_balance']} "
        f"{facts['currency']}; {facts['amount']} more would pass that."
    )
    return Failure("balance-limit-exceeded", detail, **facts)


_REFUSED: Mapping[Refusal, Callable[[Declined, Facts], Failure]] = {
    Refusal.IDEMPOTENCY_KEY_REUSED: _idempotency_key_reused,
    Refusal.UNKNOWN_CURRENCY: _unknown_currency,
    Refusal.SAME_ACCOUNT: _same_account,
    Refusal.ACCOUNT_NOT_FOUND: _account_not_found,
    Refusal.CURRENCY_MISMATCH: _currency_mismatch,
    Refusal.AMOUNT_OUT_OF_RANGE: _amount_out_of_range,
    Refusal.INSUFFICIENT_FUNDS: _insufficient_funds,
    Refusal.BALANCE_LIMIT_EXCEEDED: _balance_limit_exceeded,
}
assert _REFUSED.keys() == set(Refusal)
