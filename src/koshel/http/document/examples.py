"""The examples of the OpenAPI document: one story, from an empty ledger on. A test sends it, and gets these replies."""

from collections.abc import Sequence
from typing import Any

from koshel import __version__
from koshel.http.document import list_examples
from koshel.http.document.example import CTIME, TOMORROW, Example, JsonObject, transaction
from koshel.http.document.split_examples import SPLITS
from koshel.http.problems import PROBLEMS


def of(route: str) -> Sequence[Example]:
    """The examples of a route, in the order of the story."""
    return [example for example in STORY if example.route == route]


def _account(id_: int, email: str, balance: str, **fields: Any) -> JsonObject:
    account = {
        "id": id_,
        "email": email,
        "currency": "USD",
        "balance": balance,
        "held": "0.00",
        "available": balance,
        "min_balance": "0.00",
        "max_balance": "999999.99",
        "status": "open",
        "metadata": {},
        "version": 0,
        "ctime": CTIME,
    }
    return account | fields


def _key(id_: int, name: str, scope: str, status: str = "active", **moments: str) -> JsonObject:
    key = {"id": id_, "name": name, "scope": scope, "status": status, "ctime": CTIME}
    return key | {"expires_at": None, "revoked_at": None, "last_used_at": None} | moments


def _move(source: int, target: int, amount: str, **fields: Any) -> JsonObject:
    return {"source_account_id": source, "target_account_id": target, "amount": amount} | fields


_ANN, _BOB, _CAT, _DAN, _FEES = (f"{name}@example.com" for name in ("ann", "bob", "cat", "dan", "fees"))
_GOLD = {"min_balance": "-50.00", "available": "50.00", "metadata": {"plan": "gold"}}
_ORDER = {"metadata": {"shop": "3"}, "reference": "order 17", "effective_on": "2026-11-20"}
_TRANSFER = transaction(2, "transfer", 1, 2, "12.50", idempotency_key="order-17", **_ORDER)
_NOTES = {"metadata": {"shop": "3", "invoice": "2026-81"}}
_NOTE = {"revision": 1, "changes": {"metadata": [_ORDER["metadata"], _NOTES["metadata"]]}, "idempotency_key": None}
_OF_FEES: JsonObject = {"currency": [None, "USD"], "email": [None, _FEES], "min_balance": [None, "0.00"]}
_OF_FEES |= {"max_balance": [None, "999999.99"], "status": [None, "open"], "metadata": [None, {}]}
_FIRST_CHANGE = {"revision": 0, "changes": _OF_FEES, "idempotency_key": None, "ctime": CTIME}
_CHANGED = {"max_balance": ["999999.99", None], "metadata": [{}, {"for": "fees"}]}
_CHANGE = {"revision": 1, "changes": _CHANGED, "idempotency_key": None, "ctime": CTIME}
_HOLD = transaction(3, "hold", 1, 2, "30.00", status="held", expires_at=TOMORROW)
_BATCH = [
    transaction(id_, "transfer", 1, target, amount, group_id=1)
    for id_, target, amount in ((8, 2, "9.70"), (9, 3, "0.30"))
]
_FIRST = "2026-12-01T09:00:00.000000Z"
_RENT = transaction(21, "transfer", 1, 2, "40.00", status="queued", execute_at=_FIRST)
_CANCELLED = _RENT | {"status": "cancelled", "cancelled_at": "2026-11-30T18:00:00.654321Z", "cancelled_by": "till-3-17"}
_EUROS = {"email": _BOB, "currency": "EUR"}
_EXCHANGED = [
    transaction(22, "transfer", 1, 8, "10.00", group_id=7) | {"target": "exchange:USD"},
    transaction(23, "transfer", 7, 6, "9.14", group_id=7, currency="EUR") | {"source": "exchange:EUR"},
]
_PROBLEM = PROBLEMS["insufficient-funds"]
_INDEX = {
    "name": "Koshel",
    "version": __version__,
    "description": "Accounts, transfers, holds, refunds. One request, one final answer, durable when given.",
    "docs": "/docs",
    "openapi": "/openapi.json",
    "accounts": "/account",
    "transactions": "/transaction",
    "health": "/health/ready",
}
_DESCRIBED = {
    "type": "/problem/insufficient-funds",
    "title": _PROBLEM.title,
    "status": _PROBLEM.status,
    "code": "insufficient-funds",
    "detail": _PROBLEM.when,
    "retryable": _PROBLEM.retryable,
}

_LEDGER = {"ledger": "main", "ctime": CTIME}
_SHOWN = {"key": "koshel_live_ThisIsHowAKeyLooks00000000000000000000000000000000"}  # whose check sum is wrong

STORY: Sequence[Example] = (
    Example("open_account", "An account", _account(1, _ANN, "0.00"), 201, {"email": _ANN}),
    Example(
        "open_account",
        "An account with an overdraft line",
        _account(2, _BOB, "0.00", **_GOLD),
        201,
        {"email": _BOB, "currency": "USD", "min_balance": "-50", "metadata": {"plan": "gold"}},
    ),
    Example("open_account", "An account for fees", _account(3, _FEES, "0.00"), 201, {"email": _FEES}),
    Example("pay_in", "Money in", transaction(1, "payment", None, 1, "100.00"), 201, {"amount": "100"}, {"id": 1}),
    Example("transfer", "A transfer", _TRANSFER, 201, _move(1, 2, "12.50", **_ORDER), key="order-17"),
    Example("transfer", "A hold", _HOLD, 201, _move(1, 2, "30", hold={"expires_in": 86_400})),
    Example(
        "capture_hold",
        "A part, and the rest stays reserved",
        transaction(4, "capture", 1, 2, "20.00", parent_id=3),
        201,
        {"amount": "20", "final": False},
        {"id": 3},
    ),
    Example(
        "void_hold",
        "All that is still reserved",
        transaction(5, "void", 1, 2, "10.00", parent_id=3, metadata={"why": "sold out"}),
        201,
        {"metadata": {"why": "sold out"}},
        {"id": 3},
    ),
    Example(
        "refund",
        "A part",
        transaction(6, "refund", 2, 1, "2.50", parent_id=2, reference="order 17"),
        201,
        {"amount": "2.50"},
        {"id": 2},
    ),
    Example("pay_out", "Money out", transaction(7, "withdrawal", 2, None, "5.00"), 201, {"amount": "5"}, {"id": 2}),
    Example(
        "make_batch",
        "A seller and a fee, both or neither",
        {"results": [{"transaction": made} for made in _BATCH], "group_id": 1},
        201,
        {"transactions": [_move(1, 2, "9.70"), _move(1, 3, "0.30")]},
    ),
    Example("get_transaction", "A transfer", _TRANSFER | {"refunded": "2.50"}, path={"id": 2}),
    Example("annotate", "Notes", _TRANSFER | {"refunded": "2.50"} | _NOTES, body=_NOTES, path={"id": 2}),
    Example("list_transaction_changes", "Of one", {"items": [_NOTE | {"ctime": CTIME}], "next": None}, path={"id": 2}),
    Example("get_account", "An account", _account(1, _ANN, "60.00", version=8), path={"id": 1}),
    Example(
        "change_account",
        "Other limits",
        _account(3, _FEES, "0.30", version=1, max_balance=None, metadata={"for": "fees"}),
        body={"max_balance": None, "metadata": {"for": "fees"}},
        path={"id": 3},
    ),
    Example("list_account_changes", "Of one", {"items": [_CHANGE, _FIRST_CHANGE], "next": None}, path={"id": 3}),
    *SPLITS,
    Example("open_account", "A client's account", _account(4, _CAT, "0.00"), 201, {"email": _CAT}),
    Example(
        "change_account",
        "A client leaves",
        _account(4, _CAT, "0.00", status="closed"),
        body={"status": "closed"},
        path={"id": 4},
    ),
    Example("erase_account", "All that was known of the client", None, 204, path={"id": 4}),
    Example(
        "ensure_account",
        "An account with a name of your own",
        _account(5, _DAN, "0.00", name="users:42"),
        201,
        {"email": _DAN},
        {"id": "@users:42"},
    ),
    Example(
        "transfer",
        "A transfer by names",
        transaction(20, "transfer", 1, 5, "2.00") | {"target": "users:42"},
        201,
        {"source_account_id": 1, "target": "users:42", "amount": "2"},
    ),
    Example("transfer", "Rent, when it is due", _RENT, 202, _move(1, 2, "40", execute_at=_FIRST)),
    Example("cancel_transaction", "The rent", _CANCELLED, path={"id": 21}),
    Example("open_account", "An account in EUR", _account(6, _BOB, "0.00", currency="EUR"), 201, _EUROS),
    Example(
        "exchange",
        "Dollars for euros, at a rate",
        {"results": [{"transaction": made} for made in _EXCHANGED], "group_id": 7, "rate": "0.9137"},
        201,
        {"source_account_id": 1, "target_account_id": 6, "source_amount": "10.00", "rate": "0.9137"},
    ),
    Example("get_ledger", "The main ledger", _LEDGER | {"currencies": list_examples.TOTALS}),
    Example("rename_ledger", "The name that it has", _LEDGER, body={"ledger": "main"}),
    Example(
        "create_ledger",
        "A ledger for a shop",
        {"ledger": "shop", "ctime": CTIME, "key": _key(1, "first", "admin") | _SHOWN},
        201,
        {"ledger": "shop"},
    ),
    Example(
        "create_key",
        "A key that moves money, for 90 days",
        _key(2, "till", "write", expires_at=CTIME) | _SHOWN,
        201,
        {"scope": "write", "name": "till", "expires_in": 7_776_000},
    ),
    Example(
        "rotate_key",
        "A new key, and an hour to deploy it",
        _key(3, "till", "write", expires_at=CTIME) | _SHOWN,
        201,
        {"overlap": 3_600},
        {"id": 2},
    ),
    Example("revoke_key", "The old one", None, 204, path={"id": 2}),
    Example("get_key", "The new one", _key(3, "till", "write", expires_at=CTIME), path={"id": 3}),
    Example(
        "list_keys",
        "The keys of a ledger",
        {
            "items": [
                _key(3, "till", "write", expires_at=CTIME),
                _key(2, "till", "write", status="revoked", expires_at=CTIME, revoked_at=CTIME),
            ],
            "next": None,
        },
    ),
    *list_examples.of(_TRANSFER | {"refunded": "2.50"} | _NOTES, _account(5, _DAN, "2.00", name="users:42", version=1)),
    Example("read_index", "What this is", _INDEX),
    Example("check_live", "It answers", {"status": "ok"}),
    Example("check_ready", "It is ready", {"status": "ok"}),
    Example("measure_queue", "Nothing waits", {"depth": 0, "retrying": 0, "oldest_age_s": 0.0, "scheduled": 0}),
    Example("get_problem", "A problem", _DESCRIBED, path={"code": "insufficient-funds"}),
)
