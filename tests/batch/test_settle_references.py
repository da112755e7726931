"""What commands refer to is found before the locks, wherever it is named; then what became of it, after them."""

import asyncio

import pytest

from koshel.core.commands import Command
from koshel.core.model import Posted, Queued, Refusal
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, refusals, waits
from tests.support.wallets import capture, enqueue, group, hold, payment, refund, transfer, void, withdrawal

pytestmark = pytest.mark.usefixtures("books")


async def begin(store: Store) -> list[int]:
    """Accounts 1 and 2, and the ids of a payment of 100, a transfer of 20, a withdrawal of 5 and a hold of 10."""
    assert await open_accounts(store, opening(), opening()) == [1, 2]
    outcomes = await settle(store, [payment(1, "100"), transfer(1, 2, "20"), withdrawal(2, "5"), hold(1, 2, "10")])
    return [one.id for one in outcomes if isinstance(one, Posted)]


async def test_accounts_that_a_command_only_implies_are_locked(store: Store, database: Database) -> None:
    _, sent, _, held = await begin(store)
    for command in (capture(held, "1", final=False), refund(sent, "1"), group(refund(sent, "1")), void(held)):
        async with store.batch() as busy:
            await busy.lock([payment(2, "1")])
            task = asyncio.create_task(settle(store, [command]))
            await waits(database)
        assert refusals(await task) == [None]


async def test_a_reference_is_found_wherever_it_is_named(store: Store) -> None:
    paid, sent, taken, held = await begin(store)
    outcomes = await settle(
        store,
        [
            refund(paid, "1"),
            group(refund(sent, "2"), capture(held, "3", final=False), atomic=False),
            enqueue(refund(taken, "4")),
            enqueue(void(held)),
        ],
    )
    assert refusals(outcomes) == [None] * 4
    queued = [one for one in outcomes if isinstance(one, Queued)]
    assert [(one.kind, one.source_account_id, one.target_account_id, one.currency) for one in queued] == [
        ("refund", None, 2, "USD"),
        ("void", 1, 2, "USD"),
    ]
    await settle(store, [ClaimQueued(1, 10)])
    found = [await store.get_transaction(1, one.id) for one in queued]
    assert [one.status for one in found if one is not None] == ["posted", "posted"]


async def test_what_does_not_exist_is_not_found_and_disturbs_nobody(store: Store) -> None:
    paid, sent, _, held = await begin(store)
    missing: list[Command] = [capture(404), void(404), refund(404), group(capture(404)), refund(404, key="k")]
    outcomes = await settle(store, [*missing, refund(sent, "1"), capture(held)])
    assert refusals(outcomes) == [
        *[Refusal.TRANSACTION_NOT_FOUND] * 3,
        Refusal.BATCH_REFUSED,
        Refusal.TRANSACTION_NOT_FOUND,
        None,
        None,
    ]
    assert refusals(await settle(store, [capture(paid), refund(held)])) == [Refusal.NOT_A_HOLD, Refusal.NOT_REFUNDABLE]


async def test_another_ledgers_transaction_does_not_exist(store: Store) -> None:
    paid, _, _, held = await begin(store)
    strangers: list[Command] = [refund(paid, ledger_id=2), capture(held, ledger_id=2), void(held, ledger_id=2)]
    assert refusals(await settle(store, strangers)) == [Refusal.TRANSACTION_NOT_FOUND] * 3
    assert refusals(await settle(store, [*strangers, refund(paid, "1"), void(held)])) == [
        *[Refusal.TRANSACTION_NOT_FOUND] * 3,
        None,
        None,
    ]


async def test_what_is_only_queued_has_moved_nothing_yet(store: Store) -> None:
    await begin(store)
    outcomes = await settle(store, [enqueue(hold(1, 2, "1")), enqueue(transfer(1, 2, "900"))])
    held, refused = [one.id for one in outcomes if isinstance(one, Queued)]
    early: list[Command] = [capture(held), void(held), refund(held), refund(refused), void(refused)]
    not_yet = [*[Refusal.HOLD_NOT_OPEN] * 2, *[Refusal.NOT_REFUNDABLE] * 2, Refusal.NOT_A_HOLD]
    assert refusals(await settle(store, early)) == not_yet
    await settle(store, [ClaimQueued(1, 10)])
    assert refusals(await settle(store, [refund(refused), capture(refused), capture(held)])) == [
        Refusal.NOT_REFUNDABLE,
        Refusal.NOT_A_HOLD,
        None,
    ]


async def test_refunds_that_race_never_add_up_to_more_than_the_original(store: Store) -> None:
    _, sent, _, _ = await begin(store)
    answers = await asyncio.gather(*(settle(store, [refund(sent, "4")]) for _ in range(8)))
    refused = refusals([one for (one,) in answers])
    # 20 were sent; of them 5 are gone, so three fours can come back.
    assert refused.count(None) == 3
    assert set(refused) == {None, Refusal.INSUFFICIENT_FUNDS}
    await settle(store, [payment(2, "100")])
    answers = await asyncio.gather(*(settle(store, [refund(sent, "4")]) for _ in range(8)))
    refused = refusals([one for (one,) in answers])
    assert (refused.count(None), refused.count(Refusal.REFUND_EXCEEDS_ORIGINAL)) == (2, 6)


async def test_captures_that_race_never_take_more_than_was_held(store: Store) -> None:
    _, _, _, held = await begin(store)
    answers = await asyncio.gather(*(settle(store, [capture(held, "3", final=False)]) for _ in range(8)))
    refused = refusals([one for (one,) in answers])
    assert (refused.count(None), refused.count(Refusal.CAPTURE_EXCEEDS_HOLD)) == (3, 5)


async def test_a_batch_that_names_one_account_a_thousand_times_is_one_lock(store: Store) -> None:
    _, sent, _, held = await begin(store)
    members = [transfer(1, 2, "0.01") for _ in range(996)]
    (outcome,) = await settle(
        store, [group(*members, capture(held, "1", final=False), capture(held), refund(sent, "1"), refund(sent, "1"))]
    )
    assert refusals([outcome]) == [None]
    account = await store.get_account(1, 1)
    assert account is not None
    assert (str(account.balance), str(account.held), account.version) == ("62.04", "0.00", 1003)


async def test_a_hold_that_has_ended_is_known_though_another_ledger_asks_for_its_id_too(store: Store) -> None:
    *_, held = await begin(store)
    await settle(store, [void(held)])
    outcomes = await settle(store, [void(held), void(held, ledger_id=2)])
    assert refusals(outcomes) == [Refusal.HOLD_NOT_OPEN, Refusal.TRANSACTION_NOT_FOUND]
