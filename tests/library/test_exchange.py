"""Exchanges in a program: what is answered, what is raised, and in the caller's own transaction."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from koshel import Exchange, Invalid, Ledger, Promise, Promised, Refused, Settings
from tests.support.database import Database

if TYPE_CHECKING:
    from tests.library.conftest import Connection


@pytest.fixture
async def euros(ledger: Ledger) -> int:
    """An empty account in EUR, with the name `euros`."""
    return (await ledger.open_account("ann@example.com", currency="EUR", name="euros")).id


async def test_both_transactions_are_answered_with_the_rate(ledger: Ledger, ann: int, euros: int) -> None:
    made = await ledger.exchange(source=ann, target="@euros", source_amount="10", rate="0.91370", reference="trip")
    assert isinstance(made, Exchange)
    assert (str(made.rate), str(made.source.amount), str(made.target.amount)) == ("0.91370", "10.00", "9.14")
    assert (made.source.source_account_id, made.source.target) == (ann, "exchange:USD")
    assert (made.target.source, made.target.target_account_id) == ("exchange:EUR", euros)
    assert made.group_id == made.source.group_id == made.target.group_id is not None
    assert made.source.reference == made.target.reference == "trip"
    for_an_amount = await ledger.exchange(source=ann, target=euros, source_amount=1, target_amount=Decimal("0.9"))
    assert (for_an_amount.rate, str(for_an_amount.target.amount)) == (None, "0.90")


async def test_a_key_answers_it_again(ledger: Ledger, ann: int, euros: int) -> None:
    first = await ledger.exchange(source=ann, target=euros, source_amount="10", rate="0.9", key="k")
    assert await ledger.exchange(source=ann, target=euros, source_amount="10", rate="0.9", key="k") == first
    with pytest.raises(Refused) as caught:
        await ledger.exchange(source=ann, target=euros, source_amount="10", target_amount="9", key="k")
    assert (caught.value.code, caught.value.facts) == ("idempotency-key-reused", {"field": "target_amount"})


async def test_it_is_a_member_of_a_batch_and_can_be_decided_later(ledger: Ledger, ann: int, euros: int) -> None:
    make = ledger.requests.exchange
    (made,) = await ledger.batch([make(source=ann, target="@euros", source_amount=10, rate="0.5")])
    assert isinstance(made, Exchange)
    assert (str(made.rate), str(made.target.amount)) == ("0.5", "5.00")
    request = make(source=ann, target=euros, source_amount=10, target_amount=9, key="later")
    queued = await ledger.enqueue(request)
    assert isinstance(queued, Promise)
    assert (str(queued.amount), queued.currency, queued.source_account_id) == ("10.00", "USD", ann)
    at_once = await ledger.exchange(source=ann, target=euros, source_amount=1, rate=1, key="now")
    again = await ledger.enqueue(make(source=ann, target=euros, source_amount=1, rate=1, key="now"))
    assert again == at_once
    with pytest.raises(Promised):
        await ledger.exchange(source=ann, target=euros, source_amount=10, target_amount=9, key="later")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "target_amount"),
        ({"rate": 1, "target_amount": 1}, "rate"),
        ({"rate": 0}, "rate"),
        ({"rate": 0.9}, "rate"),
        ({"target_amount": "-1"}, "target_amount"),
        ({"rate": 1, "source_amount": 0}, "source_amount"),
        ({"rate": 1, "source": "euros"}, "source"),
        ({"rate": 1, "source": 0}, "source_account_id"),
        ({"rate": 1, "target": 2**63}, "target_account_id"),
        ({"rate": 1, "key": "line\nbreak"}, "key"),
        ({"rate": 1, "metadata": {"": "x"}}, "metadata"),
    ],
)
async def test_what_can_never_be_right_is_invalid(
    ledger: Ledger, ann: int, euros: int, said: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await ledger.exchange(**{"source": ann, "target": euros, "source_amount": 1} | said)
    assert caught.value.field.partition("/")[0] == field


async def test_a_refusal_is_raised(ledger: Ledger, ann: int, euros: int) -> None:
    with pytest.raises(Refused) as caught:
        await ledger.exchange(source=euros, target=ann, source_amount="1", rate="1")
    assert caught.value.code == "insufficient-funds"


async def test_where_exchange_accounts_may_not_go_below_zero_their_stock_is_paid_in_first(
    database: Database, ann: int, euros: int
) -> None:
    async with Ledger.open(database.service_url, Settings(exchange_min_balance=Decimal(0))) as ledger:
        for one in (ledger, ledger.rehearsal()):
            with pytest.raises(Refused) as caught:
                await one.exchange(source=ann, target=euros, source_amount="10", target_amount="9")
            assert caught.value.code == "insufficient-funds"
            facts = {"name": "exchange:EUR", "currency": "EUR", "available": "0.00", "required": "9.00"}
            assert caught.value.facts == facts
        await ledger.ensure_account("exchange:EUR", email="treasury@example.com", currency="EUR")
        await ledger.pay("@exchange:EUR", amount="9")
        made = await ledger.exchange(source=ann, target=euros, source_amount="10", target_amount="9")
        assert made.target.source_balance == 0
        bought = await ledger.account("@exchange:USD")
        assert bought is not None
        assert (str(bought.balance), str(bought.min_balance)) == ("10.00", "0.00")


async def test_a_rehearsal_says_what_would_happen(ledger: Ledger, ann: int, euros: int) -> None:
    made = await ledger.rehearsal().exchange(source=ann, target=euros, source_amount="10", rate="0.9")
    assert (made.group_id, made.source.id, made.source.target_account_id) == (None, 0, 0)
    assert (made.target.source, str(made.target.amount)) == ("exchange:EUR", "9.00")
    assert await ledger.account("@exchange:EUR") is None


async def test_it_is_a_part_of_the_callers_own_transaction(
    ledger: Ledger, connection: "Connection", ann: int, euros: int
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    inside = ledger.within(connection)
    await inside.exchange(source=ann, target=euros, source_amount="10", rate="0.9")
    await inside.exchange(source=ann, target=euros, source_amount="10", rate="0.9")
    await transaction.rollback()
    assert await ledger.account("@exchange:EUR") is None
    made = await ledger.exchange(source=ann, target=euros, source_amount="10", rate="0.9")
    assert made.target.target_balance == 9
