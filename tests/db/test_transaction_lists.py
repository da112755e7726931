"""Pages of transactions: filters against plain Python, each page by position, complete and once each."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from koshel.core.book import effective_on
from koshel.core.commands import Kind
from koshel.core.model import Posted
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.reading import transaction_lists
from koshel.db.reading.pages import Ask
from koshel.db.reading.wanted import PENDING, Listed, NotIndexed, Order, Position, TransactionsWanted, driver
from koshel.db.server.embedded import Cluster
from koshel.db.store import Store, StoreConfig, open_store
from tests.support.clone import cloned
from tests.support.every_kind import keep_every_kind

STATUSES = ("posted", "held", "captured", "voided", "expired", *PENDING)


class Books:
    """Books of every kind, and what is known of each transaction."""

    def __init__(self, url: str, owner_url: str) -> None:
        self.url = url
        self.loop = asyncio.new_event_loop()
        with psycopg.connect(owner_url) as connection:
            self.moments: dict[int, datetime] = dict(
                connection.execute(
                    "SELECT id, ctime FROM transaction WHERE ledger_id = 1 UNION ALL SELECT id, ctime FROM queued WHERE"
                    " ledger_id = 1 UNION ALL SELECT id, ctime FROM declined WHERE ledger_id = 1 UNION ALL"
                    " SELECT id, ctime FROM cancelled WHERE ledger_id = 1"
                ).fetchall()
            )
        self._opened = open_store(StoreConfig(url))
        self.store: Store = self.loop.run_until_complete(self._opened.__aenter__())
        found = [self.loop.run_until_complete(self.store.get_transaction(1, id_)) for id_ in self.moments]
        self.transactions = [one for one in found if one is not None]
        assert len(self.transactions) == len(self.moments)

    def close(self) -> None:
        self.loop.run_until_complete(self._opened.__aexit__(None, None, None))
        self.loop.close()

    def page(self, wanted: TransactionsWanted, ask: Ask) -> Listed[FoundTransaction, Position]:
        return self.loop.run_until_complete(
            self.store.look_up(1, lambda connection, q: transaction_lists.transactions(connection, q, 1, wanted, ask))
        )

    def walk(self, wanted: TransactionsWanted, order: Order, limit: int) -> list[FoundTransaction]:
        start, items = None, list[FoundTransaction]()
        while True:
            page = self.page(wanted, Ask(limit, order, start))
            assert len(page.items) <= limit
            items += page.items
            if page.ends_at is None:
                return items
            assert page.items, "no page of these books has to look at so many keys"
            start = page.ends_at


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Books]:
    with cloned(cluster, "test_transaction_lists") as database:

        async def keep() -> None:
            async with open_store(StoreConfig(database.service_url)) as store:
                await keep_every_kind(store, database)

        asyncio.run(keep())
        books = Books(database.service_url, database.owner_url)
        yield books
        books.close()


def said(found: FoundTransaction) -> dict[str, Any]:
    """What the filters ask of a transaction, by their names."""
    one = found.transaction
    if isinstance(one, Posted):
        sides = {side.account_id for side in (one.source, one.target) if side is not None and side.version is not None}
        return {
            "account_id": sides,
            "idempotency_key": one.key,
            "group_id": one.group_id,
            "effective_on": effective_on(one),
            **{name: getattr(one, name) for name in ("kind", "parent_id", "reference", "metadata")},
        }
    request = one.command.command
    return {
        "account_id": {one.source_account_id, one.target_account_id},
        "idempotency_key": one.command.key,
        "group_id": None,
        "kind": one.kind,
        "parent_id": one.parent_id,
        **{name: getattr(request, name) for name in ("reference", "metadata", "effective_on")},
    }


def is_wanted(found: FoundTransaction, moment: datetime, wanted: TransactionsWanted) -> bool:
    """The same question in plain Python."""
    has = said(found)
    for name in ("kind", "parent_id", "group_id", "idempotency_key", "reference", "effective_on"):
        if getattr(wanted, name) not in {None, has[name]}:
            return False
    if wanted.status not in {None, found.status} or not wanted.metadata.items() <= has["metadata"].items():
        return False
    if wanted.account_id is not None and wanted.account_id not in has["account_id"]:
        return False
    return (wanted.since is None or moment >= wanted.since) and (wanted.until is None or moment < wanted.until)


def filters(books: Books) -> st.SearchStrategy[TransactionsWanted]:
    """Filters whose values nearly always are some transaction's."""
    has = [said(one) for one in books.transactions]
    moments = sorted({*books.moments.values()})
    near = st.builds(
        lambda moment, late: moment + timedelta(microseconds=late), st.sampled_from(moments), st.integers(-1, 1)
    )

    def of(name: str, *others: Any) -> st.SearchStrategy[Any]:
        return st.none() | st.sampled_from([*dict.fromkeys(one[name] for one in has if one[name] is not None), *others])

    accounts = sorted({id_ for one in has for id_ in one["account_id"] if id_})
    entries = [{}, *[{name: value} for one in has for name, value in one["metadata"].items()], {"no": "such"}]
    return st.builds(
        TransactionsWanted,
        account_id=st.none() | st.sampled_from([*accounts, 999]),
        kind=st.none() | st.sampled_from(Kind),
        status=st.none() | st.sampled_from(STATUSES),
        since=st.none() | near,
        until=st.none() | near,
        group_id=of("group_id", 999),
        parent_id=of("parent_id", 999),
        idempotency_key=of("idempotency_key", "no such"),
        reference=of("reference", "no such"),
        effective_on=of("effective_on", date(1999, 12, 31)),
        metadata=st.sampled_from(entries),
    )


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_list_has_what_plain_python_finds_each_once_whatever_the_limit_and_the_order(
    books: Books, data: st.DataObject
) -> None:
    everything = data.draw(filters(books))
    kept = data.draw(st.sets(st.sampled_from(TransactionsWanted.__struct_fields__), max_size=4))
    wanted = TransactionsWanted(**{name: getattr(everything, name) for name in kept})
    order: Order = data.draw(st.sampled_from(["desc", "asc"]))
    limit = data.draw(st.integers(1, 60))
    try:
        driver(wanted)
    except NotIndexed:
        return
    found = books.walk(wanted, order, limit)
    expected = [one for one in books.transactions if is_wanted(one, books.moments[one.transaction.id], wanted)]
    ids = [one.transaction.id for one in found]
    assert sorted(ids) == sorted(one.transaction.id for one in expected)
    assert {one.transaction.id: one for one in found} == {one.transaction.id: one for one in expected}
    moments = [books.moments[id_] for id_ in ids]
    if wanted.status != "held":
        assert moments == sorted(moments, reverse=order == "desc"), "in the order of time"
    assert found == list(reversed(books.walk(wanted, "asc" if order == "desc" else "desc", 60)))


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (TransactionsWanted(metadata={"a": "b"}), ["metadata"]),
        (TransactionsWanted(metadata={"a": "b"}, kind=Kind.TRANSFER), ["metadata"]),
        (TransactionsWanted(effective_on=date(2026, 1, 1), status="posted"), ["effective_on"]),
        (TransactionsWanted(effective_on=date(2026, 1, 1), metadata={"a": "b"}), ["effective_on", "metadata"]),
        (TransactionsWanted(until=datetime.now(UTC), metadata={"a": "b"}), ["metadata"]),
    ],
)
def test_what_no_index_finds_is_refused(books: Books, wanted: TransactionsWanted, fields: Sequence[str]) -> None:
    with pytest.raises(NotIndexed) as refused:
        books.page(wanted, Ask(10))
    assert refused.value.fields == fields
    for name in refused.value.instead:
        value = {"since": datetime.now(UTC), "account_id": 1, "reference": "r", "idempotency_key": "k"}.get(name, 1)
        books.page(structs.replace(wanted, **{name: value}), Ask(10))
