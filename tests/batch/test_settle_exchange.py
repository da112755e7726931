"""Exchanges on a real database: exchange accounts are found before the locks, and opened once."""

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.core.commands import UNRESOLVED, Command, EnsureAccount, OpenAccount
from koshel.core.exchanging import Exchange
from koshel.core.model import Declined, Found, Grouped, Opened, Outcome, Posted, Refusal, Replayed
from koshel.db.store import Store, StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.retry import settle_again
from koshel.settle import settle
from tests.batch.test_settle_law import EMPTY
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.exchanges import exchange
from tests.support.samples import asked, pair, sample
from tests.support.settled import exactly, open_accounts, opening, query, refusals
from tests.support.wallets import enqueue, group, payment, transfer

pytestmark = pytest.mark.usefixtures("books")

KEPT = "SELECT source_transaction_id, target_transaction_id, rate::text FROM exchange ORDER BY 1"


def wide(currency: str) -> OpenAccount:
    return replace(opening(currency), max_balance=None)


@pytest.fixture
async def wallets(store: Store) -> tuple[int, int, int]:
    """An account with 1000.00 USD, and empty ones in EUR and JPY."""
    dollars, euros, yen = await open_accounts(store, *map(wide, ("USD", "EUR", "JPY")))
    await settle(store, [payment(dollars, "1000")])
    return dollars, euros, yen


def asking(source: int, target: int, *, key: str | None = None) -> Exchange:
    return exchange(source, target, "10", rate="0.91370", key=key, accounts=())


def made(outcome: Outcome) -> tuple[list[str | None], list[Posted]]:
    """The names of the exchange accounts that it has opened, and its transactions."""
    assert isinstance(outcome, Grouped), outcome
    names = [one.account.name for one in outcome.outcomes if isinstance(one, Opened)]
    return names, [one for one in outcome.outcomes if isinstance(one, Posted)]


@pytest.mark.parametrize("size", [1, 4])
async def test_an_account_that_an_exchange_opens_is_found_by_its_name_from_then_on(
    store: Store, database: Database, wallets: tuple[int, int, int], size: int
) -> None:
    dollars, euros, _ = wallets
    paid = replace(payment(1, "5", key="p"), target="exchange:EUR", target_account_id=UNRESOLVED)
    early = replace(paid, key="early")
    asked: list[Command] = [early, asking(dollars, euros), paid, paid]
    cut = [one for at in range(0, 4, size) for one in await settle(store, asked[at : at + size])]
    assert refusals(cut) == [Refusal.ACCOUNT_NOT_FOUND, None, None, None]
    assert type(cut[3]) is Replayed
    assert verify(database.owner_url) == []


async def test_exchanges_of_a_batch_share_the_accounts_that_the_first_one_opens(
    store: Store, database: Database, wallets: tuple[int, int, int]
) -> None:
    dollars, euros, yen = wallets
    outcomes = await settle(
        store, [asking(dollars, euros), transfer(dollars, euros, "1"), asking(dollars, yen, key="k")]
    )
    assert [names for names, _ in map(made, outcomes[::2])] == [["exchange:USD", "exchange:EUR"], ["exchange:JPY"]]
    ids = [[one.id for one in made(outcome)[1]] for outcome in outcomes[::2]]
    assert query(database, KEPT) == [(*one, "0.91370") for one in sorted(ids)]
    groups = query(database, "SELECT group_id, count(*) FROM transaction WHERE group_id IS NOT NULL GROUP BY 1")
    assert [number for _, number in groups] == [2, 2]
    assert verify(database.owner_url) == []


async def test_a_key_gives_its_answer_to_whoever_asks_again(
    store: Store, database: Database, wallets: tuple[int, int, int]
) -> None:
    dollars, euros, _ = wallets
    first = replace(asking(dollars, euros, key="k"), reference="trip", metadata={"of": "ann"})
    (outcome,) = await settle(store, [first])
    before = query(database, "SELECT count(*) FROM transaction")
    async with open_store(StoreConfig(database.service_url)) as other:
        (again,) = await settle(other, [first])
    assert isinstance(again, Replayed)
    assert exactly(again.first) == exactly(outcome)
    assert query(database, "SELECT count(*) FROM transaction") == before


@pytest.mark.parametrize("left_out", ["rate", "target_amount"])
@pytest.mark.parametrize("way", ["at once", "queued", "in a batch"])
async def test_every_field_is_compared_under_a_reused_key(
    store: Store, database: Database, wallets: tuple[int, int, int], left_out: str, way: str
) -> None:
    def sent(one: Exchange) -> Command:
        if way == "in a batch":
            return group(replace(one, key=None), key="k")
        return enqueue(one) if way == "queued" else one

    on_the_books = {"source_account_id": wallets[0], "target_account_id": wallets[1]}
    first = sample(Exchange, key="k", default_min_balance=Decimal(-1000), **{left_out: None}, **on_the_books)
    (outcome,) = await settle(store, [sent(first)])
    assert refusals([outcome]) == [None]
    async with open_store(StoreConfig(database.service_url)) as other_store:
        (again,) = await settle(other_store, [sent(first)])
    assert isinstance(again, Replayed)
    assert exactly(again.first) == exactly(outcome)
    for name in asked(Exchange):
        other = wallets[2] if name in on_the_books else pair(Exchange, name)[1]
        (refused,) = await settle(store, [sent(replace(first, **{name: other}))])
        assert isinstance(refused, Declined)
        field = f"transactions/0/{name}" if way == "in a batch" else name
        assert (refused.refusal, refused.facts) == (Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})
    assert isinstance((await settle(store, [payment(wallets[0], "1", key="k")]))[0], Declined)


async def test_an_account_that_is_opened_in_the_same_batch_has_its_own_currency(
    store: Store, database: Database, wallets: tuple[int, int, int]
) -> None:
    gold = OpenAccount(1, "eve@example.com", "SEASHELL", name="eve")
    new = EnsureAccount(1, "eve", "eve@example.com", "SEK")
    ask = replace(asking(wallets[0], UNRESOLVED), target="eve")
    outcomes = await settle(store, [ask, gold, ask, new, ask])
    assert refusals(outcomes) == ["account-not-found", "unknown-currency", "account-not-found", None, None]
    assert made(outcomes[-1])[0] == ["exchange:USD", "exchange:SEK"]
    assert query(database, "SELECT name FROM account WHERE name LIKE 'exchange:%' ORDER BY 1") == [
        ("exchange:SEK",),
        ("exchange:USD",),
    ]


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_caller_may_open_an_exchange_account_at_the_same_moment(
    store: Store, wallets: tuple[int, int, int], *, is_first: bool
) -> None:
    own = EnsureAccount(1, "exchange:EUR", "treasury@example.com", "EUR")
    commands: list[Command] = [own, asking(*wallets[:2])] if is_first else [asking(*wallets[:2]), own]
    outcomes = await settle(store, commands)
    if is_first:  # and without a line of credit
        assert refusals(outcomes) == [None, "insufficient-funds"]
    else:
        assert refusals(outcomes) == [None, "name-taken"]
        assert isinstance((await settle(store, [replace(own, email="exchange@exchange.invalid")]))[0], Found)


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_money_of_an_exchange_account_can_be_exchanged_wherever_one_batch_ends(
    store: Store, database: Database, wallets: tuple[int, int, int], size: int
) -> None:
    dollars, euros, yen = wallets
    own = replace(exchange(UNRESOLVED, yen, "1", rate="160", accounts=()), source="exchange:EUR")
    other = replace(asking(UNRESOLVED, euros), source="exchange:JPY")
    commands: list[Command] = [own, asking(dollars, euros), group(own, atomic=False), other, asking(yen, dollars)]
    cut = [one for at in range(0, 5, size) for one in await settle(store, commands[at : at + size])]
    assert refusals(cut) == ["account-not-found", None, None, "account-not-found", "insufficient-funds"]
    assert isinstance(cut[2], Grouped)
    assert refusals([*cut[2].outcomes]) == ["same-account"]
    assert verify(database.owner_url) == []


async def test_two_processes_open_one_exchange_account(store: Store, database: Database) -> None:
    codes = ["CHF", "DKK", "NOK", "SEK", "PLN", "CZK", "HUF", "RON"]
    ids = await open_accounts(store, *map(opening, ("USD", *codes)))
    dollars = ids[0]
    await settle(store, [payment(dollars, "1000")])
    async with open_store(StoreConfig(database.service_url)) as other:
        for target in ids[1:]:
            ask = [asking(dollars, target), asking(dollars, target)]
            both = await asyncio.gather(*[settle_again(each, ask) for each in (store, other)])
            assert [refusals(outcomes) for outcomes in both] == [[None, None]] * 2
            opened = [name for outcomes in both for one in outcomes for name in made(one)[0] if name != "exchange:USD"]
            assert len(opened) == 1
    assert query(database, "SELECT count(*), count(DISTINCT name) FROM account WHERE name LIKE 'exchange:%'") == [
        (9, 9)
    ]
    assert verify(database.owner_url) == []


async def test_where_one_batch_ends_changes_no_row(
    store: Store, database: Database, wallets: tuple[int, int, int]
) -> None:
    dice = Random(7)
    commands: list[Command] = []
    for number in range(60):
        source, target = dice.sample(wallets, 2)
        amount, rate = dice.choice(["1", "2.345", "0.001", "500"]), dice.choice(["0.5", "1.25", "150.005"])
        commands.append(exchange(source, target, amount, rate=rate, key=f"k{number}", accounts=()))
    commands += dice.sample(commands, 20)
    places = range(0, len(commands), 7)
    cut = [one for at in places for one in await settle(store, commands[at : at + 7])]
    assert {type(one) for one in cut} == {Grouped, Declined, Replayed}
    rows = _balances(database)
    assert verify(database.owner_url) == []
    execute(database.owner_url, *EMPTY)
    async with open_store(StoreConfig(database.service_url)) as fresh:
        assert await open_accounts(fresh, *map(wide, ("USD", "EUR", "JPY"))) == [*wallets]
        await settle(fresh, [payment(wallets[0], "1000")])
        whole = await settle(fresh, commands)
    assert refusals(whole) == refusals(cut)
    assert _balances(database) == rows


def _balances(database: Database) -> list[Any]:
    accounts = "SELECT coalesce(name, id::text), balance, version FROM account ORDER BY 1"
    moved = "SELECT amount, rate FROM exchange JOIN transaction ON id = target_transaction_id ORDER BY id"
    return [query(database, accounts), query(database, moved)]
