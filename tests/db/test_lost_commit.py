"""The connection is lost exactly during COMMIT: every command is settled exactly once all the same."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from koshel.core.commands import Command, Kind, Move, OpenAccount
from koshel.core.model import Declined, Opened, Outcome, Posted, Refusal, Replayed
from koshel.db.errors import Conflict, Obstructed, OutcomeUnknown
from koshel.db.pools import TimeLimits
from koshel.db.server.embedded import Cluster
from koshel.db.store import Store, StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.relay import Cut, Relay, relaying
from tests.support.waiting import until

LEDGER_ID = 1
OPENING = Decimal(100)
DONE_WITHIN_S = 60
LIMITS = TimeLimits(statement_timeout_ms=2_000, lock_timeout_ms=500, idle_in_transaction_timeout_ms=2_000)

TRANSFER = Move(LEDGER_ID, Kind.TRANSFER, 1, 2, Decimal(30))
KEYED = Move(LEDGER_ID, Kind.TRANSFER, 1, 2, Decimal(30), key="rent")
TOO_MUCH = Move(LEDGER_ID, Kind.TRANSFER, 1, 2, Decimal(300), key="too much")
UNKNOWN_ACCOUNT = Move(LEDGER_ID, Kind.PAYMENT, None, 99, Decimal(1))
OPENING_ONE = OpenAccount(LEDGER_ID, "cyd@example.com")
OPENING_KEYED = OpenAccount(LEDGER_ID, "cyd@example.com", key="cyd")


@pytest.fixture
async def relay(cluster: Cluster) -> AsyncIterator[Relay]:
    async with relaying(cluster) as relay:
        yield relay


@pytest.fixture
async def behind(relay: Relay, database: Database, store: Store) -> AsyncIterator[Store]:
    """A store whose every connection goes through the relay; accounts 1 and 2 exist, 1 has 100.00."""
    await settle(store, [OpenAccount(LEDGER_ID, f"{name}@example.com") for name in ("ann", "bob")])
    await settle(store, [Move(LEDGER_ID, Kind.PAYMENT, None, 1, OPENING)])
    async with open_store(StoreConfig(relay.url(database.service_url), limits=LIMITS)) as behind:
        yield behind


@pytest.fixture
async def impatient(relay: Relay, database: Database, behind: Store) -> AsyncIterator[Store]:
    """Like `behind`, and soon gives up asking whether a commit happened."""
    assert isinstance(behind, Store)
    config = StoreConfig(relay.url(database.service_url), outcome_timeout_ms=300, limits=LIMITS)
    async with open_store(config) as impatient:
        await settle(impatient, [UNKNOWN_ACCOUNT])  # and has its connection
        yield impatient


def _rows(database: Database, query: str) -> list[Any]:
    with psycopg.connect(database.owner_url) as connection:
        return connection.execute(query).fetchall()


def _transfers(database: Database) -> list[Any]:
    return [id_ for (id_,) in _rows(database, "SELECT id FROM transaction WHERE kind = 'transfer' ORDER BY id")]


def _balances(database: Database) -> list[Decimal]:
    return [balance for (balance,) in _rows(database, "SELECT balance FROM account ORDER BY id")]


def _fences(database: Database) -> int:
    [(count,)] = _rows(database, "SELECT count(*) FROM batch WHERE transaction_ids IS NULL")
    return int(count)


async def _repeat(store: Store, commands: Sequence[Command]) -> list[Outcome]:
    """What a caller does who got no answer, or `database-unavailable`."""
    async with asyncio.timeout(DONE_WITHIN_S):
        while True:
            try:
                return await settle_again(store, commands)
            except (Obstructed, OutcomeUnknown):
                await asyncio.sleep(0.05)


async def _settle_within(store: Store, commands: Sequence[Command]) -> list[Outcome]:
    async with asyncio.timeout(DONE_WITHIN_S):
        return await settle_again(store, commands)


def _first(outcome: Outcome) -> Outcome:
    return outcome.first if isinstance(outcome, Replayed) else outcome


async def test_a_transfer_whose_reply_was_lost_is_not_made_again(
    relay: Relay, behind: Store, database: Database
) -> None:
    relay.cut_next_commit(Cut.REPLY_LOST)
    [outcome] = await settle(behind, [TRANSFER])
    assert relay.cuts == 1
    assert isinstance(outcome, Posted)
    assert _transfers(database) == [outcome.id]
    assert _fences(database) == 0
    assert verify(database.owner_url) == []


async def test_a_transfer_whose_commit_was_lost_has_not_happened_and_never_will(
    relay: Relay, behind: Store, database: Database
) -> None:
    relay.cut_next_commit(Cut.COMMIT_LOST)
    with pytest.raises(Conflict):
        await settle(behind, [TRANSFER])
    assert relay.cuts == 1
    assert _transfers(database) == []
    assert _balances(database) == [OPENING, 0]
    assert _fences(database) == 1
    assert verify(database.owner_url) == []


@pytest.mark.parametrize(
    ("cut", "command"),
    [(Cut.COMMIT_LOST, TRANSFER), (Cut.COMMIT_LOST, KEYED), (Cut.BACKEND_LIVES, TRANSFER), (Cut.SILENCE, KEYED)],
)
async def test_a_transfer_whose_commit_was_lost_is_settled_again_once(
    relay: Relay, behind: Store, database: Database, cut: Cut, command: Move
) -> None:
    relay.cut_next_commit(cut)
    [outcome] = await _settle_within(behind, [command])
    assert relay.cuts == 1
    assert isinstance(outcome, Posted)
    assert _transfers(database) == [outcome.id]
    assert _balances(database) == [70, 30]
    assert _fences(database) == 1
    assert verify(database.owner_url) == []


async def test_the_fence_waits_for_a_commit_that_is_still_under_way(
    relay: Relay, behind: Store, database: Database
) -> None:
    relay.cut_next_commit(Cut.COMMIT_LATE)
    settling = asyncio.create_task(_settle_within(behind, [TRANSFER]))
    await until(lambda: _somebody_waits(database), "the fence waits for the old backend")
    assert not settling.done()
    await relay.deliver()
    [outcome] = await settling
    assert isinstance(outcome, Posted)
    assert _transfers(database) == [outcome.id]
    assert _fences(database) == 0
    assert verify(database.owner_url) == []


def _somebody_waits(database: Database) -> bool:
    waiting = """
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ON CONFLICT%'
    """
    return bool(_rows(database, waiting))


CUTS = [Cut.REPLY_LOST, Cut.COMMIT_LOST]


@pytest.mark.parametrize("cut", CUTS)
async def test_a_remembered_refusal_survives_a_lost_commit(
    relay: Relay, behind: Store, database: Database, cut: Cut
) -> None:
    relay.cut_next_commit(cut)
    [outcome] = await _settle_within(behind, [TOO_MUCH])
    assert relay.cuts == 1
    assert isinstance(outcome, Declined)
    assert outcome.refusal is Refusal.INSUFFICIENT_FUNDS
    assert await settle(behind, [TOO_MUCH]) == [Replayed(outcome)]
    assert _transfers(database) == []
    assert verify(database.owner_url) == []


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("command", [OPENING_ONE, OPENING_KEYED], ids=["without a key", "with a key"])
async def test_one_account_is_opened_when_the_commit_is_lost(
    relay: Relay, behind: Store, database: Database, cut: Cut, command: OpenAccount
) -> None:
    relay.cut_next_commit(cut)
    [outcome] = await _settle_within(behind, [command])
    assert relay.cuts == 1
    assert isinstance(outcome, Opened)
    found = _rows(database, "SELECT id FROM account WHERE email = 'cyd@example.com'")
    assert found == [(outcome.account.id,)]
    assert verify(database.owner_url) == []


@pytest.mark.parametrize("cut", CUTS)
async def test_every_caller_of_a_lost_batch_gets_the_answer_that_is_on_the_books(
    relay: Relay, behind: Store, database: Database, cut: Cut
) -> None:
    relay.cut_next_commit(cut)
    outcomes = await _settle_within(behind, [KEYED, OPENING_KEYED, TOO_MUCH, TRANSFER, KEYED])
    assert relay.cuts == 1
    posted, opened, declined, unkeyed, twin = outcomes
    assert isinstance(posted, Posted)
    assert isinstance(unkeyed, Posted)
    assert twin == Replayed(posted)
    assert _transfers(database) == [posted.id, unkeyed.id]
    assert await settle(behind, [KEYED, OPENING_KEYED, TOO_MUCH]) == [
        Replayed(posted),
        Replayed(_first(opened)),  # type: ignore[arg-type]
        Replayed(_first(declined)),  # type: ignore[arg-type]
    ]
    assert verify(database.owner_url) == []


async def test_an_answer_that_wrote_nothing_needs_no_fence(relay: Relay, behind: Store, database: Database) -> None:
    [first] = await settle(behind, [KEYED])
    relay.cut_next_commit(Cut.COMMIT_LOST)
    assert await settle(behind, [KEYED]) == [Replayed(first)]  # type: ignore[arg-type]
    assert relay.cuts == 1
    assert _fences(database) == 0


@pytest.mark.parametrize("cut", [Cut.REPLY_LOST, Cut.COMMIT_LOST, Cut.BACKEND_LIVES])
async def test_an_unknown_outcome_is_said_to_be_unknown_and_the_same_key_settles_it(
    relay: Relay, impatient: Store, database: Database, cut: Cut
) -> None:
    relay.cut_next_commit(cut)
    relay.refuse()
    with pytest.raises(OutcomeUnknown):
        await _settle_within(impatient, [KEYED])
    await relay.accept()
    [outcome] = await _repeat(impatient, [KEYED])
    posted = _first(outcome)
    assert isinstance(posted, Posted)
    assert isinstance(outcome, Replayed) == (cut is Cut.REPLY_LOST)
    assert _transfers(database) == [posted.id]
    assert _balances(database) == [70, 30]
    assert verify(database.owner_url) == []
