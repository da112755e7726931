"""The examples of lists: what the story of `examples` has left behind."""

from collections.abc import Sequence

from koshel.http.document.example import Example, JsonObject

_CURSOR = "hJ8mYIzE8kBbIi9hY2NvdW50LzIvdHJhbnNhY3Rpb24iLDFd"  # whose check sum is wrong
_BALANCE = {
    "account_id": 2,
    "currency": "USD",
    "version": 1,
    "balance": "12.50",
    "held": "0.00",
    "ctime": "2026-11-22T10:35:00.123456Z",
}
_NOTHING = {"balance": "0.00", "held": "0.00", "paid_in": "0.00", "paid_out": "0.00", "balanced": True}
_PAID = {"balance": "95.00", "paid_in": "100.00", "paid_out": "5.00"}
TOTALS = [{"currency": "EUR", "accounts": 2} | _NOTHING, {"currency": "USD", "accounts": 6} | _NOTHING | _PAID]
_BEFORE = {"until": "2026-01-01T00:00:00Z"}
_VOLUMES = [
    {"currency": "EUR", "transactions": 1, "total": "9.14"},
    {"currency": "USD", "transactions": 13, "total": "182.00"},
]
_STATEMENT = {
    "account_id": 2,
    "currency": "USD",
    "opening_balance": "0.00",
    "closing_balance": "0.00",
    "lines": [],
    "total_in": "0.00",
    "total_out": "0.00",
}


def of(transfer: JsonObject, named: JsonObject) -> Sequence[Example]:
    """Of a transfer, the first line of account 2 and all that came of a key; and of an account that has a name."""
    line = {"version": 1, "transaction": transfer, "change": "12.50", "balance": "12.50", "held": "0.00"}
    return (
        Example("list_transactions", "What came of a key", _page(transfer), query={"idempotency_key": "order-17"}),
        Example("list_accounts", "The accounts of users", _page(named), query={"name": "users:*"}),
        Example(
            "list_lines",
            "The first line of an account",
            _page(line) | {"next": _CURSOR},
            path={"id": 2},
            query={"order": "asc", "limit": "1"},
        ),
        Example("get_balance", "After the first line", _BALANCE, path={"id": 2}, query={"version": "1"}),
        Example("get_volume", "By currency", {"volumes": _VOLUMES}, query={"group_by": "currency"}),
        Example("get_statement", "Of a time in which nothing was", _STATEMENT, path={"id": 2}, query=_BEFORE),
    )


def _page(*items: JsonObject) -> JsonObject:
    return {"items": [*items], "next": None}
