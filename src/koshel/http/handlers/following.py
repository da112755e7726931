"""What follows a transaction: a capture, a void, a refund. The bodies of requests, their handlers and their routes."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import UNSET, Raw, UnsetType

from koshel.core.commands import Capture, Refund, Void
from koshel.core.labelled import labels
from koshel.http.bodies.wire import Amount, Schedulable
from koshel.http.call import Call
from koshel.http.problems import transaction_not_found
from koshel.http.route import MONEY, POST, Route, making
from koshel.inputs import texts, values
from koshel.inputs.values import Invalid

_HELD = (*POST, "transaction-not-found", "not-a-hold", "hold-not-open", "hold-expired")


class CaptureRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Of a hold: `amount`, or all that it still reserves. Unless it is final, the rest stays reserved."""

    amount: Amount | UnsetType = UNSET
    final: bool = True


class VoidRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Of a hold: all that it still reserves."""


class RefundRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Of a transaction: `amount`, or all that is left of it."""

    amount: Amount | UnsetType = UNSET


def capture(call: Call) -> Capture:
    """POST /transaction/{id}/capture."""
    body: CaptureRequest = call.body
    amount = optional_amount(body.amount)
    hold_id, requests = transaction_id(call), call.requests
    return requests.capture(hold_id, amount=amount, final=body.final, **labels(body), key=call.key)


def void(call: Call) -> Void:
    """POST /transaction/{id}/void."""
    return call.requests.void(transaction_id(call), **labels(call.body), key=call.key)


def refund(call: Call) -> Refund:
    """POST /transaction/{id}/refund."""
    amount = optional_amount(call.body.amount)
    return call.requests.refund(transaction_id(call), amount=amount, **labels(call.body), key=call.key)


def transaction_id(call: Call) -> int:
    """The transaction that the path names."""
    try:
        return texts.identifier(call.path["id"])
    except Invalid:
        raise transaction_not_found(call.path["id"]) from None


def optional_amount(raw: Raw | UnsetType) -> Decimal | None:
    """The amount, None if it is left out. Raises Invalid."""
    return None if raw is UNSET else values.amount(raw)


ROUTES: Sequence[Route] = (
    making(
        "/transaction/{id}/capture",
        "Move what a hold reserves, or a part of it",
        "capture_hold",
        body=CaptureRequest,
        asks=capture,
        problems=(
            *(*_HELD, "account-frozen", "account-closed", "capture-exceeds-hold"),
            *("balance-limit-exceeded", "limit-exceeded"),
        ),
    ),
    making(
        "/transaction/{id}/void",
        "Release what a hold reserves",
        "void_hold",
        body=VoidRequest,
        asks=void,
        problems=_HELD,
    ),
    making(
        "/transaction/{id}/refund",
        "Send money back, all or a part of it",
        "refund",
        body=RefundRequest,
        asks=refund,
        problems=(
            *(*MONEY, "transaction-not-found", "not-refundable", "refund-exceeds-original"),
            *("insufficient-funds", "balance-limit-exceeded", "limit-exceeded"),
        ),
    ),
)
