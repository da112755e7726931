"""What needs transactions that are archived is refused, and what needs none of them is answered as ever."""

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any

import pytest

from koshel import Ledger, Refused, Target, Transaction
from koshel.inputs import moments
from koshel.library import account_books
from tests.support.archived import archive, attach, fill
from tests.support.bookkeeping import execute
from tests.support.database import Database


async def refused(asked: Awaitable[Any]) -> dict[str, Any]:
    with pytest.raises(Refused) as refusal:
        await asked
    assert refusal.value.code == "history-archived"
    return {**refusal.value.facts}


def after(one: Transaction) -> str:
    return moments.text(one.ctime + timedelta(microseconds=1))


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    async with Ledger.open(database.service_url) as ledger:
        yield ledger


async def test_what_is_archived_is_refused(ledger: Ledger, database: Database) -> None:
    ann = await ledger.open_account("ann@example.com")
    early = await ledger.pay(ann.id, amount="5")
    fill(database.owner_url)
    late = await ledger.pay(ann.id, amount="7")
    assert (await ledger.statement(ann.id)).closing.balance == 12
    archive(database.owner_url)
    for asked in (
        ledger.balance(ann.id, at=early.ctime),
        ledger.balance(ann.id, version=1),
        ledger.statement(ann.id, until=late.ctime),
        ledger.statement(ann.id),
    ):
        assert await refused(asked) == {"account_id": ann.id, "readable_since": after(late)}
    assert await refused(ledger.balance(ann.id, as_of="2999-01-01")) == {"account_id": ann.id}
    assert await refused(ledger.volume()) == {"readable_since": after(late)}
    assert str((await ledger.balance(ann.id, at=late.ctime)).balance) == "12.00"
    assert (await ledger.statement(ann.id, since=after(late))).opening.balance == 12
    assert await ledger.volume(since=after(late)) == []


async def test_the_sums_of_a_ledger_do_not_say_what_came_in_and_went_out(ledger: Ledger, database: Database) -> None:
    ann = await ledger.open_account("ann@example.com")
    await ledger.pay(ann.id, amount="5")
    fill(database.owner_url)
    await ledger.pay(ann.id, amount="7")
    archive(database.owner_url)
    (found,) = await ledger.totals()
    assert (found.accounts, str(found.balance), found.paid_in, found.paid_out) == (1, "12.00", None, None)
    assert found.balanced is None
    attach(database.owner_url)
    (found,) = await ledger.totals()
    assert (str(found.paid_in), str(found.paid_out), found.balanced) == ("12.00", "0.00", True)
    assert [one.change async for one in await ledger.statement(ann.id)] == [5, 7]
    assert [one.total for one in await ledger.volume()] == [12]


async def test_of_a_ledger_that_nothing_has_touched_nothing_is_archived(ledger: Ledger, database: Database) -> None:
    fill(database.owner_url)
    execute(database.owner_url, "ALTER TABLE transaction DETACH PARTITION transaction_p000000")
    await ledger.open_account("ann@example.com")
    assert await ledger.volume() == []


async def test_a_ledger_all_of_which_is_archived_has_no_volume(ledger: Ledger, database: Database) -> None:
    ann = await ledger.open_account("ann@example.com")
    await ledger.pay(ann.id, amount="5")
    archive(database.owner_url)
    assert await refused(ledger.volume(since="2999-01-01T00:00:00Z")) == {}


async def test_a_statement_that_loses_a_line_while_it_is_read_is_refused_in_the_middle(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_books, "PAGE", 2)
    ann = await ledger.open_account("ann@example.com")
    for _ in range(3):
        await ledger.pay(ann.id, amount="5")
    fill(database.owner_url)
    late = await ledger.pay(ann.id, amount="7")
    found = aiter(await ledger.statement(ann.id))
    assert (await anext(found)).version == 1
    archive(database.owner_url)
    assert (await anext(found)).version == 2
    assert await refused(anext(found)) == {"account_id": ann.id, "readable_since": after(late)}


async def test_a_split_with_an_archived_transaction_is_refused(ledger: Ledger, database: Database) -> None:
    ann, bob = [await ledger.open_account(f"{name}@example.com") for name in ("ann", "bob")]
    made = await ledger.split(amount=10, source=None, targets=[Target(one.id, share="50%") for one in (ann, bob)])
    assert made.group_id is not None
    archive(database.owner_url)
    assert await refused(ledger.split_transactions(made.group_id)) == {}
