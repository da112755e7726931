"""The statements of lists with values for their arguments, and the indexes that they must use; both ways round."""

from koshel.core.commands import Kind
from koshel.db import queries
from koshel.db.reading.pages import turned
from koshel.db.reading.wanted import EVERYTHING, PENDING

OLDEST_FIRST = ", the oldest first"
TOP = str(2**63 - 1)
_ALL = "{" + ",".join(EVERYTHING) + "}"
KINDS = "{" + ",".join(Kind) + "}"
_PAGE = ["2020-01-01", "2090-01-01", TOP, "51"]
_ANYTHING = [*9 * [None], "2020-01-01", "2100-01-01"]
_SIDES = ("transaction_source_version", "transaction_target_version")
_ACCOUNT: list[str | None] = ["1", "7", *_PAGE, _ALL, "1", "900000", TOP]


def _pending(*columns: str) -> set[str]:
    return {f"{table}_{column}" for table in PENDING for column in columns}


_LISTS: dict[str, tuple[str, list[str | None], set[str]]] = {
    "list_transactions": ("list_transactions", ["1", KINDS, *_PAGE, _ALL], {"transaction_kind", *_pending("time")}),
    "list_transactions_of_ids": (
        "list_transactions_of_ids",
        ["1", "{7}", *_PAGE, _ALL],
        {"transaction_pkey", *_pending("pkey")},
    ),
    "list_transactions_of_parent": (
        "list_transactions_of_parent",
        ["1", "7", *_PAGE, _ALL],
        {"transaction_parent", *_pending("parent")},
    ),
    "list_transactions_of_reference": (
        "list_transactions_of_reference",
        ["1", "order 17", *_PAGE, _ALL],
        {"transaction_reference", *_pending("reference")},
    ),
    "list_transactions_of_group": ("list_transactions_of_group", ["1", "7", *_PAGE], {"transaction_group"}),
    "list_transactions_of_account": (
        "list_transactions_of_account",
        _ACCOUNT,
        {*_SIDES, *_pending("source", "target")},
    ),
    "list_open_holds": ("list_open_holds", ["1", TOP, "51"], {"hold_pkey", "transaction_pkey"}),
    "list_accounts": ("list_accounts", ["1", TOP, "51"], {"account"}),
    "list_accounts_of_email": ("list_accounts_of_email", ["1", TOP, "51", "bob@example.com"], {"account_by_email"}),
    "list_accounts_of_currency": ("list_accounts_of_currency", ["1", TOP, "51", "EUR"], {"account_by_currency"}),
    "list_accounts_of_status": ("list_accounts_of_status", ["1", TOP, "51", "frozen"], {"account_by_status"}),
    "list_accounts_of_name": (
        "list_accounts_of_name",
        ["1", "users:7", "51", "users:", "users;"],
        {"account_by_name"},
    ),
}
_LOOK_UPS: dict[str, tuple[str, list[str | None], set[str]]] = {
    "find_listed": ("find_listed", ["1", "{7}", *_ANYTHING], {"transaction_pkey", "account", "hold_pkey"}),
    "find_candidates": ("find_candidates", ["1", "{7}"], {"transaction_pkey"}),
    "find_listed_pending": ("find_listed_pending", ["1", "{7}", *_ANYTHING], _pending("pkey")),
    "sum_by_value_date": (
        "sum_by_value_date",
        ["1", "7", "2026-06-30", "100", "200", "10001"],
        {"transaction_source_dated", "transaction_target_dated"},
    ),
    "sum_ledger": ("sum_ledger", ["1"], {"account", "transaction_paid_in", "transaction_paid_out"}),
    "sum_volume": ("sum_volume", ["1", *_PAGE[:2], "51", "0", "t", "t", "51"], {"transaction_kind", "account"}),
    "sum_volume by names": (
        "sum_volume",
        ["1", *_PAGE[:2], "51", "2", "f", "f", "51"],
        {"transaction_kind", "account"},
    ),
    "find_keyed": (
        "find_keyed",
        ["1", "{key-7}"],
        {"receipt_pkey", "transaction_pkey", "transaction_group"},
    ),
    "find_states_before": ("find_states_before", ["1", "7", "{2026-01-01,2026-02-01}"], {"account", *_SIDES}),
    "count_lines": ("count_lines", ["1", "7", "1", "300"], {*_SIDES}),
    "find_first": ("find_first", ["1"], {"transaction_pkey", "account"}),
    "get_state": ("get_state", ["1", "7", "3"], {*_SIDES}),
    "find_listed_accounts": (
        "find_listed_accounts",
        ["1", "{7}", *6 * [None]],
        {"account"},
    ),
}
LISTS = _LISTS | {
    case + OLDEST_FIRST: (name + OLDEST_FIRST, ["1" if one == TOP else one for one in arguments], wanted)
    for case, (name, arguments, wanted) in _LISTS.items()
}
LISTED = {**LISTS, **_LOOK_UPS}


def statement(name: str) -> str:
    """A statement by its name, or the other way round."""
    found: str = getattr(queries.load(), name.removesuffix(OLDEST_FIRST))
    return turned(found, "asc" if name.endswith(OLDEST_FIRST) else "desc")
