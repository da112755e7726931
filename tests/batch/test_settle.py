"""One batch, one transaction, on a real PostgreSQL. After every test the books are proved from the rows."""

import asyncio
from decimal import Decimal
from itertools import pairwise

import psycopg
import pytest
from msgspec.structs import replace

from koshel.core.commands import Command
from koshel.core.model import Declined, Opened, Posted, Refusal, Replayed
from koshel.core.money import plain
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.database import Database
from tests.support.looks import source_of, target_of
from tests.support.settled import open_accounts, opening, query, refusals, rows, waits
from tests.support.wallets import payment, transfer, withdrawal

pytestmark = pytest.mark.usefixtures("books")


async def test_money_that_was_posted_is_on_the_books(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    outcomes = await settle(store, [payment(ann, "100"), transfer(ann, bob, "12.345"), withdrawal(bob, "2.34")])
    for outcome in outcomes:
        assert isinstance(outcome, Posted)
        assert await store.get_transaction(1, outcome.id) == FoundTransaction(outcome, "posted", refunded=Decimal(0))
    accounts = [await store.get_account(1, one) for one in (ann, bob)]
    assert [(plain(one.balance), one.version) for one in accounts if one] == [("87.66", 2), ("10.00", 2)]


async def test_ids_are_given_in_the_order_of_the_commands(store: Store) -> None:
    ids = await open_accounts(store, *[opening() for _ in range(20)])
    assert ids == sorted(set(ids))
    outcomes = await settle(store, [payment(one, "1") for one in reversed(ids)])
    posted = [outcome.id for outcome in outcomes if isinstance(outcome, Posted)]
    assert len(posted) == 20
    assert posted == sorted(set(posted))


SCALES = {"JPY": 0, "USD": 2, "KWD": 3, "WEI": 18, "POINTS": 0}


async def test_an_account_is_opened_in_an_iso_or_a_registered_currency(store: Store) -> None:
    *outcomes, gold = await settle(store, [opening(currency) for currency in (*SCALES, "GOLD")])
    for outcome, (currency, scale) in zip(outcomes, SCALES.items(), strict=True):
        assert isinstance(outcome, Opened)
        assert await store.get_account(1, outcome.account.id) == outcome.account
        assert (outcome.account.currency, outcome.account.scale) == (currency, scale)
        assert plain(outcome.account.balance) == f"{0:.{scale}f}"
    assert refusals([gold]) == [Refusal.UNKNOWN_CURRENCY]


async def test_the_largest_and_the_smallest_amounts_are_kept_exactly(store: Store) -> None:
    nines = "9" * 18
    floor = Decimal(f"-{nines}.{nines}")
    one, other = await open_accounts(
        store, replace(opening("WEI"), min_balance=floor, max_balance=None), opening("WEI")
    )
    (first, second, refused) = await settle(
        store, [withdrawal(one, f"{nines}.{nines}"), payment(other, "1e-18"), withdrawal(one, "1e-18")]
    )
    assert isinstance(first, Posted)
    assert (first.amount, source_of(first).balance) == (floor.copy_abs(), floor)
    assert isinstance(second, Posted)
    assert second.amount == Decimal("1e-18")
    assert refusals([refused]) == [Refusal.INSUFFICIENT_FUNDS]
    assert await store.get_transaction(1, first.id) == FoundTransaction(first, "posted", refunded=Decimal(0))


async def test_an_account_whose_limits_round_past_eighteen_digits_can_be_filled_and_emptied(store: Store) -> None:
    most = Decimal("999999999999999999.9")
    (one,) = await open_accounts(store, replace(opening("JPY"), min_balance=most.copy_negate(), max_balance=most))
    nines = "9" * 18
    outcomes = await settle(
        store,
        [payment(one, nines), payment(one, "1"), withdrawal(one, nines), withdrawal(one, nines), withdrawal(one, "1")],
    )
    assert refusals(outcomes) == [None, Refusal.BALANCE_LIMIT_EXCEEDED, None, None, Refusal.INSUFFICIENT_FUNDS]


async def test_a_refusal_without_a_key_leaves_no_trace(store: Store, database: Database) -> None:
    ann, bob, yen = await open_accounts(store, opening(), opening(), opening("JPY"))
    before = rows(database)
    refused: list[Command] = [
        opening("GOLD"),
        transfer(ann, ann, "1"),
        payment(404, "1"),
        payment(ann, "1", ledger_id=2),
        transfer(ann, yen, "1"),
        payment(ann, "0.001"),
        transfer(ann, bob, "1"),
        payment(ann, "5000"),
    ]
    assert refusals(await settle(store, refused)) == [
        Refusal.UNKNOWN_CURRENCY,
        Refusal.SAME_ACCOUNT,
        *[Refusal.ACCOUNT_NOT_FOUND] * 2,
        Refusal.CURRENCY_MISMATCH,
        Refusal.AMOUNT_OUT_OF_RANGE,
        Refusal.INSUFFICIENT_FUNDS,
        Refusal.BALANCE_LIMIT_EXCEEDED,
    ]
    assert rows(database) == before


async def test_a_refusal_with_a_key_is_remembered_when_money_has_come(store: Store, database: Database) -> None:
    (ann,) = await open_accounts(store, opening())
    keyed = withdrawal(ann, "5", key="k")
    unkeyed = withdrawal(ann, "5")
    first = (await settle(store, [keyed, unkeyed]))[0]
    assert refusals([first]) == [Refusal.INSUFFICIENT_FUNDS]
    await settle(store, [payment(ann, "100")])
    again, posted = await settle(store, [keyed, unkeyed])
    assert again == Replayed(first)  # type: ignore[arg-type]  # a decline is a first answer
    assert isinstance(posted, Posted)
    assert rows(database) == {"account": 1, "transaction": 2, "receipt": 1, "batch": 4}


@pytest.mark.parametrize("together", [True, False])
async def test_the_same_key_gives_the_same_answer(store: Store, database: Database, together: bool) -> None:  # noqa: FBT001
    (ann,) = await open_accounts(store, opening())
    for first, same, other, field in (
        (payment(ann, "12.345", key="p"), payment(ann, "12.34", key="p"), payment(ann, "12.35", key="p"), "amount"),
        (withdrawal(ann, "900", key="w"), withdrawal(ann, "900.0", key="w"), opening(key="w"), "kind"),
        (opening(key="o"), opening(key="o", floor="-0.0"), opening("JPY", key="o"), "currency"),
        (opening("GOLD", key="g"), opening("GOLD", key="g"), opening("SILVER", key="g"), "currency"),
    ):
        commands: list[Command] = [first, same, other, first]
        outcomes = await settle(store, commands if together else [first])
        for command in [] if together else commands[1:]:
            outcomes += await settle(store, [command])
        answer = outcomes[0]
        replayed = Replayed(answer)  # type: ignore[arg-type]  # a first answer is none of these
        reused = Declined(other, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})
        assert outcomes[1:] == [replayed, reused, replayed]
    assert rows(database) == {"account": 2, "transaction": 1, "receipt": 4, "batch": 5}


TEXTS = ["NULL", "null", '"', "\\", '\\"', "{}", "{a,b}", ",", "'; DROP TABLE account; --", "$1", "Ä€🐘", " "]


async def test_keys_and_metadata_may_hold_any_text(store: Store) -> None:
    (ann,) = await open_accounts(store, opening())
    asked: list[Command] = [payment(ann, "1"), withdrawal(ann, "900"), opening()]
    for n, command in enumerate(asked):
        commands: list[Command] = [replace(command, key=f"{n}{text}", metadata={text: text}) for text in TEXTS]
        first = await settle(store, commands)
        assert await settle(store, commands) == [Replayed(outcome) for outcome in first]  # type: ignore[arg-type]
        for text, outcome in zip(TEXTS, first, strict=True):
            if isinstance(outcome, Posted):
                assert await store.get_transaction(1, outcome.id) == FoundTransaction(
                    outcome, "posted", refunded=Decimal(0)
                )
                assert (outcome.key, outcome.metadata) == (f"{n}{text}", {text: text})


async def test_one_batch_serves_many_ledgers_and_leaves_each_a_row_of_its_own(store: Store, database: Database) -> None:
    ledgers = range(1, 51)
    ids = await open_accounts(store, *[opening(ledger_id=ledger) for ledger in ledgers])
    pairs = list(zip(ledgers, ids, strict=True))
    outcomes = await settle(
        store, [payment(one, "5", ledger_id=ledger, key="k") for ledger, one in pairs for _ in range(2)]
    )
    posted = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    assert [(outcome.ledger_id, target_of(outcome).account_id) for outcome in posted] == pairs
    assert query(
        database, "SELECT ledger_id, transaction_ids FROM batch WHERE transaction_ids <> '{}' ORDER BY ledger_id"
    ) == [(outcome.ledger_id, [outcome.id]) for outcome in posted]
    assert query(database, "SELECT count(DISTINCT id) FROM batch") == [(2,)]
    strangers = [transfer(one, other, "1", ledger_id=ledger) for (ledger, one), (_, other) in pairwise(pairs)]
    assert set(refusals(await settle(store, strangers))) == {Refusal.ACCOUNT_NOT_FOUND}


async def test_a_batch_that_waited_for_an_account_is_later_than_what_it_waited_for(
    store: Store, database: Database
) -> None:
    ids = await open_accounts(store, opening(), opening(), opening())
    for held in ids:
        async with await psycopg.AsyncConnection.connect(database.owner_url) as other:
            await other.execute("UPDATE account SET metadata = '{}' WHERE id = %s", (held,))
            batch = asyncio.create_task(settle(store, [payment(one, "1") for one in ids]))
            await waits(database)
            cursor = await other.execute("SELECT clock_timestamp()")
            moment = await cursor.fetchone()
        assert moment is not None
        assert all(isinstance(o, Posted) and o.ctime > moment[0] for o in await batch)
