"""The books in a program: lists that are read page by page, balances and sums, in the caller's own transaction too."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg
import psycopg
import pytest

from koshel import Invalid, Ledger, Misuse, Promise, Refused
from tests.support.database import Database
from tests.support.service import serving

T = TypeVar("T")


async def listed(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]


async def test_lines_are_read_over_as_many_pages_as_there_are(
    ledger: Ledger, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("koshel.library.book_pages.PAGE", 3)
    for amount in range(1, 10):
        await ledger.withdraw(ann, amount=amount)
    found = await listed(ledger.lines(ann, newest_first=False))
    assert [line.version for line in found] == list(range(1, 11))
    assert [line.balance for line in found[:3]] == [Decimal(100), Decimal(99), Decimal(97)]
    assert [line.change for line in found[:3]] == [Decimal(100), Decimal(-1), Decimal(-2)]
    assert await listed(ledger.lines(ann)) == found[::-1]
    middle = found[4].transaction.ctime
    assert await listed(ledger.lines(ann, since=middle, newest_first=False)) == found[4:]
    assert await listed(ledger.lines(ann, until=middle, newest_first=False)) == found[:4]


async def test_transactions_are_found_by_what_is_said_of_them(ledger: Ledger, ann: int, bob: int) -> None:
    labels: Any = {"reference": "order 7", "metadata": {"shop": "3"}, "effective_on": "2026-01-31"}
    moved = await ledger.transfer(source=ann, target=bob, amount="5", key="order-7", **labels)
    back = await ledger.refund(moved.id, amount="1")
    held = await ledger.hold(source=ann, target=bob, amount="2")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = await ledger.enqueue(ledger.requests.transfer(source=ann, target=bob, amount="3"), execute_at=tomorrow)
    assert isinstance(later, Promise)

    async def ids(**wanted: Any) -> list[int]:
        return [one.id async for one in ledger.transactions(**wanted)]

    assert await ids(account=bob) == [later.id, back.id, moved.id]
    assert await ids(key="order-7") == await ids(reference="order 7", kind="transfer") == [moved.id]
    assert await ids(reference="order 7") == [back.id, moved.id]
    assert await ids(parent_id=moved.id) == [back.id]
    assert await ids(account=ann, metadata={"shop": "3"}) == [moved.id]
    assert await ids(account=ann, effective_on="2026-01-31") == [moved.id]
    assert await ids(status="held") == [held.id]
    assert await ids(status="queued") == [later.id]
    assert await ids(since=tomorrow) == await ids(account="@nobody") == await ids(account=999) == []
    assert await ids(newest_first=False, kind="refund") == [back.id]
    assert isinstance((await listed(ledger.transactions(status="queued")))[0], Promise)
    assert (await listed(ledger.transactions(key="order-7")))[0] == await ledger.transaction(moved.id)


async def test_accounts_are_found(ledger: Ledger) -> None:
    names = ["users:1", "users:2", "shops:1"]
    opened = [
        await ledger.open_account(f"{name[0]}@example.com", name=name, metadata={"n": name[-1]}) for name in names
    ]
    assert [one.name async for one in ledger.accounts(name="users:*", newest_first=False)] == names[:2]
    assert await listed(ledger.accounts(email="s@example.com")) == [opened[2]]
    assert await listed(ledger.accounts(email="s@EXAMPLE.com")) == [opened[2]]
    assert await listed(ledger.accounts(name="*", metadata={"n": "2"})) == [opened[1]]
    assert await listed(ledger.accounts(currency="USD", status="open")) == opened[::-1]
    assert await listed(ledger.accounts()) == opened[::-1]


async def test_a_balance_is_that_of_a_line_or_of_a_moment(ledger: Ledger, ann: int) -> None:
    paid = await ledger.pay(ann, amount="5")
    assert (await ledger.balance(ann)).balance == Decimal(105)
    assert (await ledger.balance(ann, version=1)).balance == (await ledger.balance(ann, at=_before(paid.ctime))).balance
    assert (await ledger.balance(ann, at=paid.ctime)).version == 2
    assert (await ledger.balance(ann, version=0)).balance == Decimal(0)


async def test_the_sums_of_a_ledger(ledger: Ledger, ann: int, bob: int) -> None:
    await ledger.transfer(source=ann, target=bob, amount="40")
    await ledger.withdraw(bob, amount="15")
    (usd,) = await ledger.totals()
    assert (usd.currency, usd.accounts) == ("USD", 2)
    assert (usd.balance, usd.paid_in, usd.paid_out) == (Decimal(85), Decimal(100), Decimal(15))
    assert usd.balanced


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"kind": "gift"}, "kind"),
        ({"status": "lost"}, "status"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001  which it is
        ({"until": "yesterday"}, "until"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ({"account": "@nobody", "filter": "((("}, "filter"),
        ({"parent_id": 0}, "parent_id"),
        ({"account": "users:1"}, "account"),
        ({"key": "two words"}, "key"),
        ({"effective_on": "2026-02-30"}, "effective_on"),
        ({"metadata": {"a": 1}, "account": 1}, "metadata/a"),
    ],
)
async def test_what_can_never_be_asked_is_invalid(ledger: Ledger, wanted: Any, field: str) -> None:
    with pytest.raises(Invalid) as invalid:
        await listed(ledger.transactions(**wanted))
    assert invalid.value.field == field


async def test_what_can_never_be_asked_of_accounts_and_balances_is_invalid(ledger: Ledger, ann: int) -> None:
    wrong: dict[str, Any] = {"status": "lost", "name": "a b*", "metadata": {"a": "b"}}
    for field, value in wrong.items():
        with pytest.raises(Invalid) as invalid:
            await listed(ledger.accounts(**{field: value}))
        assert invalid.value.field == field
    for version in (-1, 2, True):
        with pytest.raises(Invalid):
            await ledger.balance(ann, version=version)
    with pytest.raises(Invalid):
        await ledger.balance(ann, version=1, at=datetime.now(UTC))
    for call in (ledger.balance("@nobody"), listed(ledger.lines(999))):
        with pytest.raises(Refused, match="account-not-found"):
            await call


async def test_in_the_callers_own_transaction_its_own_money_is_seen(
    ledger: Ledger, ann: int, connection: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    within = ledger.within(connection)
    await within.pay(ann, amount="1")
    assert len(await listed(within.lines(ann))) == 2
    assert len(await listed(ledger.lines(ann))) == 1
    await transaction.rollback()
    async with await psycopg.AsyncConnection.connect(database.owner_url) as other:
        own = ledger.within(other)
        await own.pay(ann, amount="1", reference="mine")
        assert [one.version for one in await listed(own.lines(ann))] == [2, 1]
        assert len(await listed(own.transactions(reference="mine", status="posted", kind="payment"))) == 1
        assert len(await listed(own.transactions(account=ann, since="2026-01-01T00:00:00Z"))) == 2
        assert (await own.balance(ann, at=datetime.now(UTC))).version == 2
        assert len(await listed(own.accounts(email="ann@example.com"))) == 1
        assert (await own.totals())[0].balance == Decimal(101)
        await other.rollback()


async def test_sums_leave_the_callers_own_connection_as_the_caller_has_set_it(
    ledger: Ledger, ann: int, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL enable_hashjoin = off; SET LOCAL statement_timeout = '7s'")
        within = ledger.within(connection)
        await within.pay(ann, amount="1")
        assert (await within.totals())[0].balance == Decimal(101)
        assert await connection.fetchval("SHOW enable_hashjoin") == "off"
        assert await connection.fetchval("SHOW statement_timeout") == "7s"
        assert await connection.fetchval("SHOW plan_cache_mode") == "auto"


async def test_a_closed_ledger_has_no_books_any_more(database: Database) -> None:
    async with Ledger.open(database.service_url) as ledger:
        await ledger.open_account("ann@example.com")
    for call in (listed(ledger.accounts()), listed(ledger.transactions()), listed(ledger.lines(1)), ledger.totals()):
        with pytest.raises(Misuse, match="closed"):
            await call


async def test_the_library_and_http_list_the_same(database: Database, ledger: Ledger, ann: int, bob: int) -> None:
    for amount in range(1, 6):
        await ledger.transfer(source=ann, target=bob, amount=amount)
    with serving(database.service_url, workers="1", auth="off") as service:
        shown = service.call("GET", f"/account/{bob}/transaction?limit=500").body["items"]
    found = await listed(ledger.lines(bob))
    assert [line["transaction"]["id"] for line in shown] == [line.transaction.id for line in found]
    assert [line["balance"] for line in shown] == [str(line.balance) for line in found]


def _before(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=1)
