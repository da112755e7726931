"""Lists with filters against plain Python: whatever a filter says, its pages have what Python finds, once each."""

import asyncio
from collections import Counter
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from koshel.core.commands import Kind
from koshel.core.model import Posted
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.reading import account_lists, pages, transaction_lists
from koshel.db.reading.filter_fields import ACCOUNT_FIELDS, LINE_FIELDS, TRANSACTION_FIELDS
from koshel.db.reading.filters import predicate
from koshel.db.reading.pages import Ask
from koshel.db.reading.wanted import AccountsWanted, MixedOrders, NotIndexed, Order, TooWide, TransactionsWanted
from koshel.http.bodies import wire
from koshel.http.handlers.transactions import shown
from koshel.inputs import filters
from koshel.inputs.moments import moment
from tests.db.test_transaction_lists import Books, books, said
from tests.support.filter_texts import Made, found_filters

__all__ = ["books"]  # a fixture
MONEY = ("amount", "remaining", "refunded", "balance", "held", "available", "min_balance", "max_balance", "change")
TIMES = ("expires_at", "capture_at", "execute_at", "cancelled_at")


def transaction_row(found: FoundTransaction, at: datetime) -> dict[str, Any]:
    """The fields of a transaction as an answer has them; its time is that of its place in a list."""
    has: dict[str, Any] = dict.fromkeys(TRANSACTION_FIELDS) | to_builtins(shown(found)) | {"ctime": at}
    one, sides = found.transaction, [("source_account_id", "source"), ("target_account_id", "target")]
    touched = [pair for pair in sides if not isinstance(one, Posted) or has[pair[0]] in said(found)["account_id"]]
    has["account_id"] = {has[id_] for id_, _ in touched if has[id_] is not None}
    has["account"] = {has[name] for id_, name in touched if has[id_] is not None}
    return typed(has)


def typed(has: dict[str, Any]) -> dict[str, Any]:
    for name in MONEY:
        has[name] = None if has.get(name) is None else Decimal(has[name])
    for name in TIMES:
        has[name] = None if has.get(name) is None else moment(has[name], name)
    if isinstance(has.get("effective_on"), str):
        has["effective_on"] = datetime.fromisoformat(has["effective_on"]).date()
    for name in ("of", "note"):
        has[f"metadata.{name}"] = has["metadata"].get(name)
    return has


def values_of(rows: list[dict[str, Any]], fields: Any) -> dict[str, list[Any]]:
    """What each field can be compared with: nearly always the value of some row."""
    of: dict[str, list[Any]] = {}
    for name in (*(one for one in fields if one != "metadata"), "metadata.of", "metadata.note"):
        every = {one: None for row in rows for one in (row[name] if isinstance(row[name], set) else (row[name],))}
        of[name] = [one for one in every if one is not None]
    of["id"] += [0, 10**6]
    for name in ("name", "source", "target", "account"):
        of |= {name: [*of[name], "users:*", "*", "nobody"]} if name in of else {}
    return {name: values for name, values in of.items() if values}


def strategy(rows: list[dict[str, Any]], fields: Any) -> st.SearchStrategy[Made]:
    ordered = {name for name, field in fields.items() if field.type in filters._ORDERED and name != "account_id"}
    return found_filters(values_of(rows, fields), ordered, [name for name, field in fields.items() if field.rank])


def every_page(books: Books, look: Any, fields: Any, text: str, limit: int, order: Order) -> list[Any]:
    expression = books.loop.run_until_complete(filters.expression(text, fields))
    start, items = None, list[Any]()
    while True:
        ask = Ask(limit, order, start)
        work = partial(_asked, look, ask, expression)
        page = books.loop.run_until_complete(books.store.look_up(1, work))
        assert len(page.items) <= limit
        items += page.items
        if page.ends_at is None:
            return items
        start = page.ends_at


async def _asked(look: Any, ask: Ask, expression: Any, connection: Any, q: Any) -> Any:
    return await look(connection, q, ask, expression)


class Tables:
    """What a filter of each list can say, and what it is said of."""

    def __init__(self, books: Books) -> None:
        self.rows = [transaction_row(one, books.moments[one.transaction.id]) for one in books.transactions]
        self.transactions = strategy(self.rows, TRANSACTION_FIELDS)
        everything = (AccountsWanted(), Ask(500))
        found = books.loop.run_until_complete(
            books.store.look_up(1, lambda connection, q: account_lists.accounts(connection, q, 1, *everything))
        )
        own = dict.fromkeys(ACCOUNT_FIELDS)
        self.account_rows = [
            typed({**own, **to_builtins(wire.account(one)), "ctime": one.ctime}) for one in found.items
        ]
        self.accounts = strategy(self.account_rows, ACCOUNT_FIELDS)


@pytest.fixture(scope="module")
def tables(books: Books) -> Tables:
    return Tables(books)


LIMITS = st.integers(1, 60)
ORDERS: st.SearchStrategy[Order] = st.sampled_from(["desc", "asc"])
GIVEN = st.fixed_dictionaries(
    {}, optional={"kind": st.sampled_from(Kind), "status": st.just("posted"), "account_id": st.just(7)}
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_list_of_transactions_has_what_plain_python_finds(books: Books, tables: Tables, data: st.DataObject) -> None:
    text, is_met = data.draw(tables.transactions)
    plain, limit, order = data.draw(GIVEN), data.draw(LIMITS), data.draw(ORDERS)
    wanted = TransactionsWanted(**plain)

    def look(connection: Any, q: Any, ask: Ask, expression: Any) -> Any:
        return transaction_lists.transactions(connection, q, 1, wanted, ask, expression=expression)

    try:
        found = every_page(books, look, TRANSACTION_FIELDS, text, limit, order)
    except (NotIndexed, TooWide):
        return
    expected = [
        row["id"]
        for row in tables.rows
        if is_met(row) and all(row[name] == value or value in {*_set(row[name])} for name, value in plain.items())
    ]
    assert sorted(one.transaction.id for one in found) == sorted(expected)
    moments = [books.moments[one.transaction.id] for one in found]
    assert moments == sorted(moments, reverse=order == "desc") or "held" in text, "in the order of time"


def _set(value: Any) -> set[Any]:
    return value if isinstance(value, set) else set()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_list_of_accounts_has_what_plain_python_finds(books: Books, tables: Tables, data: st.DataObject) -> None:
    text, is_met = data.draw(tables.accounts)
    limit, order, name = data.draw(LIMITS), data.draw(ORDERS), data.draw(st.sampled_from([None, "users:*"]))

    def look(connection: Any, q: Any, ask: Ask, expression: Any) -> Any:
        return account_lists.accounts(connection, q, 1, AccountsWanted(name=name), ask, expression=expression)

    try:
        found = every_page(books, look, ACCOUNT_FIELDS, text, limit, order)
    except (NotIndexed, TooWide, MixedOrders):
        return
    named = [row for row in tables.account_rows if name is None or (row["name"] or "").startswith("users:")]
    assert sorted(one.id for one in found) == sorted(row["id"] for row in named if is_met(row))
    places = [[one.id for one in found], [one.name or "" for one in found]]
    assert any(each == sorted(each, reverse=order == "desc") for each in places), "in the order of ids or of names"


@pytest.fixture(scope="module")
def lines(books: Books) -> tuple[list[dict[str, Any]], st.SearchStrategy[Made]]:
    page = books.loop.run_until_complete(
        books.store.look_up(
            1,
            lambda connection, q: transaction_lists.account_lines(
                connection, q, 1, TransactionsWanted(account_id=7), Ask(500)
            ),
        )
    )
    rows = [
        transaction_row(one.found, one.found.transaction.ctime)
        | {"version": one.version, "change": one.change, "balance": one.side.balance, "held": one.side.held}
        for one in page.items
    ]
    return rows, strategy(rows, LINE_FIELDS)


LISTS: dict[str, Any] = {
    "transactions": (transaction_lists.transactions, TransactionsWanted(), TRANSACTION_FIELDS),
    "accounts": (account_lists.accounts, AccountsWanted(currency="USD"), ACCOUNT_FIELDS),
    "lines": (transaction_lists.account_lines, TransactionsWanted(account_id=7), LINE_FIELDS),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_page_compares_few_rows_at_once_and_looks_at_a_bounded_number(
    books: Books, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, wanted, fields = LISTS[name]
    turns, compared = 0, Counter[int]()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def counted(expression: Any, fields: Any, **options: Any) -> Any:
        is_met = predicate(expression, fields, **options)

        def test(row: Any) -> bool:
            compared[turns] += 1
            return is_met(row)

        return test

    async def look(connection: Any, q: Any) -> Any:
        running = asyncio.create_task(others())
        text = "ctime > 2000-01-01T00:00:00Z and metadata.of = nothing"
        expression = await filters.expression(text, fields)
        try:
            return await listed(connection, q, 1, wanted, Ask(4), expression=expression)
        finally:
            running.cancel()

    monkeypatch.setattr(pages, "COMPARED_AT_ONCE", 2)
    for module in (transaction_lists, account_lists):
        monkeypatch.setattr(module, "predicate", counted)
        monkeypatch.setattr(module, "FILTERED_MAX", 5)
    page = books.loop.run_until_complete(books.store.look_up(1, look))
    assert page.items == []
    assert page.ends_at is not None
    assert 5 <= compared.total() <= 10, "what is posted by its own row, and then as a whole"
    assert max(compared.values()) <= 2


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_lines_of_an_account_are_what_plain_python_finds(
    books: Books, lines: tuple[list[dict[str, Any]], st.SearchStrategy[Made]], data: st.DataObject
) -> None:
    rows, made = lines
    text, is_met = data.draw(made)
    order = data.draw(ORDERS)

    def look(connection: Any, q: Any, ask: Ask, expression: Any) -> Any:
        wanted = TransactionsWanted(account_id=7)
        return transaction_lists.account_lines(connection, q, 1, wanted, ask, expression=expression)

    found = [one.version for one in every_page(books, look, LINE_FIELDS, text, data.draw(LIMITS), order)]
    expected = sorted((row["version"] for row in rows if is_met(row)), reverse=order == "desc")
    assert found == expected
