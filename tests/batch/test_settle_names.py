"""Accounts by names, in batches: found before the locks, remembered, opened once, and by nobody twice."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.core.commands import UNRESOLVED, ChangeAccount, Command, EnsureAccount, Kind, Move, OpenAccount, Status
from koshel.core.decide import decide
from koshel.core.model import Declined, Executed, Found, Grouped, Opened, Posted, Queued
from koshel.db.errors import Conflict
from koshel.db.settling.claims import ClaimQueued
from koshel.db.settling.known import AccountNames
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.settled import query, refusals
from tests.support.wallets import by_names, enqueue, group, hold, payment, transfer

pytestmark = pytest.mark.usefixtures("books")


def opening(name: str, *, key: str | None = None, ledger_id: int = 1) -> OpenAccount:
    return OpenAccount(ledger_id, "ann@example.com", max_balance=None, key=key, name=name)


def paying(name: str, amount: str = "5", *, key: str | None = None, ledger_id: int = 1) -> Move:
    return by_names(payment(UNRESOLVED, amount, key=key, ledger_id=ledger_id), None, name)


async def opened(store: Store, *names: str) -> list[int]:
    outcomes = await settle(store, [opening(name) for name in names])
    return [one.account.id for one in outcomes if isinstance(one, Opened)]


async def test_a_name_is_found_once_and_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await opened(store, "a", "b")
    looked: list[Any] = []
    add = AccountNames.add

    def noted(memory: AccountNames, found: Any) -> None:
        looked.append(found)
        add(memory, found)

    monkeypatch.setattr(AccountNames, "add", noted)
    moves: list[Command] = [
        paying("a"),
        paying("b"),
        by_names(transfer(0, 0, "1"), "a", "b"),
        by_names(hold(0, 0, "1"), "b", "a"),
    ]
    first = await settle(store, moves)
    assert looked == [{(1, "a"): ids[0], (1, "b"): ids[1]}], "in one statement"
    assert [type(one) for one in first] == [Posted] * 4
    assert [type(one) for one in await settle(store, moves)] == [Posted] * 4
    assert len(looked) == 1


async def test_a_name_that_nobody_has_is_not_remembered(store: Store) -> None:
    assert refusals(await settle(store, [paying("late")])) == ["account-not-found"]
    await opened(store, "late")
    assert refusals(await settle(store, [paying("late")])) == [None]


def test_a_move_that_gets_its_ids_keeps_all_else_that_it_says() -> None:
    labels = {"metadata": {"a": "b"}, "reference": "order-7", "description": "rent", "effective_on": date(2026, 6, 30)}
    said = Move(1, Kind.TRANSFER, 7, 8, Decimal("1.50"), "key", "ann", "bob", **labels)  # type: ignore[arg-type]
    assert all(getattr(said, name) for name in Move.__struct_fields__), "every field, also one that is new"
    memory = AccountNames()
    memory.add({(1, "ann"): 3, (1, "bob"): 4, (2, "ann"): 5})
    assert memory.with_ids(said) == replace(said, source_account_id=3, target_account_id=4)
    assert memory.with_ids(replace(said, target="cat")) is None
    assert memory.with_ids(replace(said, source=None)) == replace(said, source=None, target_account_id=4)
    assert memory.with_ids(replace(said, ledger_id=2)) is None


def test_the_memory_is_bounded_and_keeps_what_is_asked_for() -> None:
    memory = AccountNames(most=10)
    for number in range(1, 101):
        memory.add({(1, f"n{number}"): number})
        assert memory.find([(1, "n1"), (1, f"n{number}")]) == {(1, "n1"): 1, (1, f"n{number}"): number}
    known = memory.find((1, f"n{number}") for number in range(1, 101))
    assert 5 <= len(known) <= 10
    assert memory.find([(2, "n1"), (1, "n50")]) == {}


async def test_what_a_batch_opens_is_there_for_what_comes_after_it_and_not_before(store: Store) -> None:
    outcomes = await settle(
        store, [paying("a", "1"), opening("a"), paying("a", "2"), EnsureAccount(1, "a", "ann@example.com")]
    )
    refused, new, posted, found = outcomes
    assert refusals([refused]) == ["account-not-found"]
    assert isinstance(new, Opened)
    assert isinstance(posted, Posted)
    assert isinstance(found, Found)
    assert (found.account.id, found.account.version, str(found.account.balance)) == (new.account.id, 1, "2.00")
    assert await store.get_account(1, "a") == found.account


async def test_a_name_that_is_not_opened_after_all_leaves_nothing_behind(store: Store) -> None:
    gold = replace(opening("a"), currency="GOLD")
    outcomes = await settle(store, [gold, paying("a", key="k"), enqueue(paying("a"))])
    assert refusals(outcomes)[:2] == ["unknown-currency", "account-not-found"]
    queued = outcomes[2]
    assert isinstance(queued, Queued)
    assert (queued.target_account_id, queued.target) == (None, "a")
    (ann,) = await opened(store, "a")
    assert refusals(await settle(store, [paying("a", key="k")])) == [None], "the first answer, again"
    (claimed,) = await settle(store, [ClaimQueued(1, 10)])
    assert isinstance(claimed, Grouped)
    (executed,) = claimed.outcomes
    assert isinstance(executed, Executed)
    assert isinstance(executed.outcome, Posted)
    assert executed.outcome.target is not None
    assert (executed.outcome.target.account_id, executed.outcome.target.name) == (ann, "a")


async def test_a_queued_transaction_of_a_name_that_nobody_opens_is_declined(store: Store) -> None:
    (queued,) = await settle(store, [enqueue(by_names(hold(0, 0, "1", key="k"), "a", "b"))])
    assert isinstance(queued, Queued)
    await settle(store, [ClaimQueued(1, 10)])
    found = await store.get_transaction(1, queued.id)
    assert found is not None
    assert isinstance(found.refusal, Declined)
    assert found.refusal.facts == {"name": "a", "field": "source"}


async def test_a_name_is_of_its_ledger(store: Store) -> None:
    mine, theirs = await settle(store, [opening("a"), opening("a", ledger_id=2)])
    assert isinstance(mine, Opened)
    assert isinstance(theirs, Opened)
    assert mine.account.id != theirs.account.id
    await opened(store, "only-mine")
    assert refusals(await settle(store, [paying("only-mine", ledger_id=2)])) == ["account-not-found"]
    assert await store.get_account(2, "only-mine") is None
    first, second = await settle(store, [paying("a", "1"), paying("a", "2", ledger_id=2)])
    for one, account in ((first, mine), (second, theirs)):
        assert isinstance(one, Posted)
        assert one.target is not None
        assert one.target.account_id == account.account.id


async def test_two_processes_that_open_one_name_open_it_once(store: Store, database: Database) -> None:
    async with open_store(StoreConfig(database.service_url)) as other:
        for number in range(20):
            names = [f"n{number}-{letter}" for letter in "abc"]
            ensured = [EnsureAccount(1, name, "ann@example.com") for name in names]
            both = await asyncio.gather(settle_again(store, ensured), settle_again(other, [*reversed(ensured)]))
            kinds = sorted(type(one).__name__ for outcomes in both for one in outcomes)
            assert kinds == ["Found"] * 3 + ["Opened"] * 3
    assert len(query(database, "SELECT name FROM account")) == 60


async def test_who_has_not_seen_the_name_yet_is_settled_again(store: Store) -> None:
    """The account was not there when the name was looked for, and is there when the row is written."""

    async def settle_late() -> None:
        async with store.batch() as batch:
            book = await batch.lock(resolved := await batch.resolve([opening("a", key="k")]))
            await opened(store, "a")
            await batch.write(decide(book, resolved))

    with pytest.raises(Conflict):
        await settle_late()
    assert refusals(await settle_again(store, [opening("a", key="k")])) == ["name-taken"]


async def test_a_group_that_was_refused_has_opened_nothing(store: Store) -> None:
    refused, after = await settle(
        store, [group(EnsureAccount(1, "a", "ann@example.com"), paying("a"), paying("nobody")), paying("a")]
    )
    assert refusals([refused, after]) == ["batch-refused", "account-not-found"]
    assert await store.get_account(1, "a") is None


async def test_a_closed_account_keeps_its_name(store: Store) -> None:
    await opened(store, "a")
    changed, again = await settle(
        store, [ChangeAccount(1, UNRESOLVED, status=Status.CLOSED, account="a"), opening("a")]
    )
    assert refusals([changed, again]) == [None, "name-taken"]
