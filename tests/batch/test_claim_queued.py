"""Queued transactions: claimed once, decided through the normal path, and left as they were after an accident."""

import asyncio

import asyncpg
import pytest

from koshel.core.commands import Command
from koshel.core.decide import decide
from koshel.core.model import Executed, Grouped, Outcome, Posted, Queued
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query, refusals, rows, waits
from tests.support.wallets import capture, enqueue, hold, payment, refund, transfer, void, withdrawal

pytestmark = pytest.mark.usefixtures("books")

QUEUE = "SELECT id FROM queued ORDER BY id"


async def enqueued(store: Store, *commands: Command) -> list[int]:
    """Accounts 1 with 100.00 and 2, and these enqueued; the ids."""
    assert await open_accounts(store, opening(), opening()) == [1, 2]
    await settle(store, [payment(1, "100")])
    return await enqueued_more(store, *commands)


async def enqueued_more(store: Store, *commands: Command) -> list[int]:
    queued = await settle(store, [enqueue(command) for command in commands])  # type: ignore[arg-type]  # requests
    return [one.id for one in queued if isinstance(one, Queued)]


async def settle_due(store: Store, count: int = 10, *, only: int | None = None) -> list[Executed]:
    return executions((await settle(store, [ClaimQueued(1, count, only)]))[0])


def executions(outcome: Outcome) -> list[Executed]:
    assert isinstance(outcome, Grouped)
    return [one for one in outcome.outcomes if isinstance(one, Executed)]


async def test_queued_transactions_are_decided_in_their_order_and_under_their_own_ids(
    store: Store,
) -> None:
    ids = await enqueued(store, transfer(1, 2, "60"), transfer(1, 2, "60", key="k"), withdrawal(2, "60"))
    executed = await settle_due(store)
    assert [one.command.id for one in executed] == ids
    assert refusals([one.outcome for one in executed]) == [None, "insufficient-funds", None]
    assert [one.outcome.id for one in executed if isinstance(one.outcome, Posted)] == [ids[0], ids[2]]
    assert await settle_due(store) == []


async def test_a_claim_takes_no_more_than_it_was_told_and_the_oldest_first(store: Store, database: Database) -> None:
    ids = await enqueued(store, *[transfer(1, 2, "1") for _ in range(5)])
    claim = ClaimQueued(1, 2)
    await settle(store, [claim])
    assert claim.claimed == ids[:2]
    execute(database.owner_url, f"UPDATE queued SET due = due - interval '1 hour' WHERE id = {ids[4]}")
    claim = ClaimQueued(1, 2)
    await settle(store, [claim])
    assert claim.claimed == [ids[4], ids[2]]
    assert query(database, QUEUE) == [(ids[3],)]


async def test_what_is_not_due_is_not_claimed_and_what_is_can_be_by_name(store: Store, database: Database) -> None:
    later, now, named = await enqueued(store, *[transfer(1, 2, "1") for _ in range(3)])
    execute(database.owner_url, f"UPDATE queued SET due = now() + interval '1 hour' WHERE id = {later}")
    assert [one.command.id for one in await settle_due(store, only=named)] == [named]
    assert [one.command.id for one in await settle_due(store)] == [now]
    for one in (now, later, 404):
        assert await settle_due(store, only=one) == []


async def test_another_ledgers_queued_transactions_are_left_alone(store: Store, database: Database) -> None:
    (one,) = await enqueued(store, transfer(1, 2, "1"))
    for claim in (ClaimQueued(2, 10), ClaimQueued(2, 1, one)):
        assert executions((await settle(store, [claim]))[0]) == []
    assert query(database, QUEUE) == [(one,)]


async def test_what_one_has_claimed_is_skipped_by_the_next_while_its_transaction_is_open(
    store: Store, database: Database
) -> None:
    ids = await enqueued(store, *[transfer(1, 2, "1") for _ in range(4)])
    async with store.batch() as first:
        (claimed,) = await first.resolve([ClaimQueued(1, 2)])
        other = ClaimQueued(1, 10)
        second = asyncio.create_task(settle(store, [other]))
        # Nobody has locked the accounts yet, so the second one does not even wait.
        assert len(executions((await second)[0])) == 2
        assert other.claimed == ids[2:]
        assert [one.id for one in claimed.members] == ids[:2]  # type: ignore[union-attr]
    assert query(database, QUEUE) == [(ids[0],), (ids[1],)]


async def test_a_transaction_that_is_rolled_back_leaves_its_claims_as_they_were(
    store: Store, database: Database
) -> None:
    class Accident(Exception):
        pass

    await enqueued(store, transfer(1, 2, "1", key="k"), transfer(1, 2, "900"), hold(1, 2, "5"))
    before = query(database, "SELECT queued::text FROM queued ORDER BY id"), rows(database)

    async def fail() -> None:
        async with store.batch() as batch:
            commands = await batch.resolve([ClaimQueued(1, 10)])
            outcomes = decide(await batch.lock(commands), commands)
            await batch.write(outcomes)
            assert len(executions(outcomes[0])) == 3
            raise Accident

    with pytest.raises(Accident):
        await fail()
    assert (query(database, "SELECT queued::text FROM queued ORDER BY id"), rows(database)) == before
    assert len(await settle_due(store)) == 3


async def test_a_process_that_is_killed_gives_back_what_it_had_claimed(store: Store, database: Database) -> None:
    ids = await enqueued(store, transfer(1, 2, "1"), transfer(1, 2, "2"))
    killed = await asyncpg.connect(database.service_url)
    await killed.execute("BEGIN")
    await killed.execute("SELECT FROM koshel.queued FOR UPDATE")
    process = killed.get_server_pid()
    assert await settle_due(store) == []
    killed.terminate()
    execute(database.owner_url, f"SELECT pg_terminate_backend({process}, 10000)")
    assert [one.command.id for one in await settle_due(store)] == ids


async def test_many_claims_at_once_execute_each_queued_transaction_once(store: Store, database: Database) -> None:
    ids = await enqueued(store, *[transfer(1, 2, "1", key=f"k{n}") for n in range(120)])
    done: list[Executed] = []

    async def work() -> None:
        while executed := await settle_due(store, 7):
            done.extend(executed)

    await asyncio.gather(*(work() for _ in range(6)))
    assert sorted(one.command.id for one in done) == ids
    assert query(database, QUEUE) == []
    assert refusals([one.outcome for one in done]).count(None) == 100  # then the money was gone
    assert query(database, "SELECT count(*) FROM declined") == [(20,)]


async def test_callers_and_claims_share_accounts_without_waiting_in_a_circle(
    store: Store,
) -> None:
    await enqueued(store, *[transfer(1, 2, "0.10") for _ in range(50)])

    async def call(n: int) -> None:
        for _ in range(20):
            source, target = (1, 2) if n % 2 else (2, 1)
            await settle(store, [transfer(source, target, "0.01"), payment(source, "0.01")])

    async def work() -> None:
        while await settle_due(store, 3):
            pass

    await asyncio.gather(*(call(n) for n in range(3)), work(), work())
    assert (await store.measure_queue(1)).depth == 0


async def test_a_queued_transaction_may_follow_one_that_is_claimed_with_it(store: Store) -> None:
    (held,) = await enqueued(store, hold(1, 2, "10"))
    ids = await enqueued_more(store, capture(held, "4", final=False), capture(held, "7"), void(held), refund(held))
    executed = await settle_due(store)
    assert [one.command.id for one in executed] == [held, *ids]
    refused = refusals([one.outcome for one in executed])
    assert refused == [None, None, "capture-exceeds-hold", None, "not-refundable"]
    found = await store.get_transaction(1, held)
    assert found is not None
    assert found.status == "voided"


async def test_what_follows_a_queued_transaction_waits_for_it(store: Store, database: Database) -> None:
    held, paid, dear = await enqueued(store, hold(1, 2, "10"), transfer(1, 2, "1"), transfer(1, 2, "999999"))
    early = await enqueued_more(store, capture(held), refund(paid), refund(dear))
    early += await enqueued_more(store, refund(early[0]))
    for id_ in early:
        assert not await settle_due(store, only=id_)
    assert [found.status for id_ in early if (found := await store.get_transaction(1, id_))] == ["queued"] * 4
    deferred = f"SELECT bool_and(due > ctime), max(attempts) FROM queued WHERE id = ANY(ARRAY{early})"
    assert query(database, deferred) == [(True, 0)]
    for id_ in (held, paid, dear):
        await settle_due(store, only=id_)
    execute(database.owner_url, "UPDATE queued SET due = clock_timestamp()")
    assert refusals([one.outcome for one in await settle_due(store)]) == [None, None, "not-refundable", None]


async def test_what_follows_a_transaction_not_made_yet_does_not_wait_for_it(store: Store) -> None:
    (first,) = await enqueued(store, transfer(1, 2, "1"))
    (guess,) = await enqueued_more(store, refund(first + 2))
    await enqueued_more(store, transfer(1, 2, "1"))
    (executed,) = await settle_due(store, only=guess)
    assert refusals([executed.outcome]) == ["not-refundable"]


async def test_a_claim_waits_for_an_account_like_everybody_else(store: Store, database: Database) -> None:
    await enqueued(store, transfer(1, 2, "1"))
    async with store.batch() as busy:
        await busy.lock([transfer(1, 2, "1")])
        task = asyncio.create_task(settle_due(store))
        await waits(database)
        assert not task.done()
    assert len(await task) == 1
