"""Filters, statements and balances by value date, in a program."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from koshel import Invalid, Ledger, Refused
from tests.library.test_books import _before, listed


async def test_lists_take_filters(ledger: Ledger, ann: int, bob: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koshel.library.book_pages.PAGE", 2)
    moved = [
        await ledger.transfer(source=ann, target=bob, amount=amount, reference=f"r{amount}") for amount in range(1, 7)
    ]
    text = f"(reference in (r1, r3, r6) or account_id = {bob}) and amount > 2.00 and not amount = 5"
    found = [one.id async for one in ledger.transactions(filter=text, newest_first=False)]
    assert found == [moved[index].id for index in (2, 3, 5)]
    assert [one.id async for one in ledger.transactions(filter="amount = 5", account=bob)] == [moved[4].id]
    assert [one.change async for one in ledger.lines(ann, filter="change < -4")] == [Decimal(-6), Decimal(-5)]
    assert [one.id async for one in ledger.accounts(filter="currency = USD and balance < 50")] == [bob]


@pytest.mark.parametrize("text", ["amount > 2", "amount >", "", "kind = gift", "x" * 1001, "id = 1 or amount = 2", 7])
async def test_what_is_no_filter_is_invalid(ledger: Ledger, text: Any) -> None:
    with pytest.raises(Invalid) as invalid:
        await listed(ledger.transactions(filter=text))
    assert invalid.value.field == "filter"


async def test_a_statement_adds_up(ledger: Ledger, ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koshel.library.book_pages.PAGE", 3)
    for amount in range(1, 9):
        await (ledger.pay if amount % 2 else ledger.withdraw)(ann, amount=amount)
    lines = await listed(ledger.lines(ann, newest_first=False))
    begin, end = lines[2].transaction.ctime, lines[7].transaction.ctime
    statement = await ledger.statement(ann, since=begin, until=end)
    await ledger.pay(ann, amount="100")
    assert (statement.opening.balance, statement.closing.balance) == (lines[1].balance, lines[6].balance)
    for _ in range(2):
        assert await listed(aiter(statement)) == lines[2:7]
        assert (statement.total_in, statement.total_out) == (Decimal(8), Decimal(12))
        assert statement.opening.balance + statement.total_in - statement.total_out == statement.closing.balance
    everything = await ledger.statement(ann)
    assert len(await listed(aiter(everything))) == everything.closing.version == 10
    nothing = await ledger.statement(ann, until=_before(lines[0].transaction.ctime))
    assert await listed(aiter(nothing)) == []
    assert (nothing.opening, nothing.total_in, nothing.total_out) == (nothing.closing, Decimal(0), Decimal(0))
    with pytest.raises(Invalid, match="since"):
        await ledger.statement(ann, since=end, until=begin)
    with pytest.raises(Invalid, match="since"):
        await anext(aiter(ledger.lines(ann, since=end, until=begin)))
    with pytest.raises(Refused, match="account-not-found"):
        await ledger.statement("@nobody")


async def test_a_balance_by_value_date(ledger: Ledger, ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()
    past = today - timedelta(days=30)
    for amount in ("5", "7"):
        await ledger.pay(ann, amount=amount, effective_on=past)
    assert (await ledger.balance(ann, as_of=past)).balance == Decimal(12)
    assert (await ledger.balance(ann, as_of=(past - timedelta(days=1)).isoformat())).balance == Decimal(0)
    assert (await ledger.balance(ann, as_of=today)) == await ledger.balance(ann)
    for wrong in ({"as_of": "2026-02-30"}, {"as_of": datetime.now(UTC)}, {"as_of": past, "version": 0}, {"as_of": 7}):
        with pytest.raises(Invalid, match="as_of"):
            await ledger.balance(ann, **wrong)
    monkeypatch.setattr("koshel.db.reading.value_dates.LINES_MAX", 1)
    with pytest.raises(Refused, match="too-many-value-dates"):
        await ledger.balance(ann, as_of=past)
