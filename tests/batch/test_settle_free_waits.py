"""A batch that waits for what other batches hold, and not for strangers, on a real PostgreSQL."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest

from koshel.core.apart import Line, Lines
from koshel.core.commands import Command
from koshel.core.model import Outcome, Posted
from koshel.db.errors import Obstructed
from koshel.db.settling.batch import FIRST_WAIT_MS
from koshel.db.settling.lock_wait import FORGETS, LEAST_MS, TIMES, LockWait
from koshel.db.settling.strangers import LASTS_S, Patience, Strangers
from koshel.db.store import Store
from koshel.settle import settle
from koshel.settle_free import Stopped, settle_free
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, waits
from tests.support.wallets import enqueue, payment, transfer, withdrawal

pytestmark = [pytest.mark.usefixtures("books"), pytest.mark.alone]

MISSING = 999_999


@contextmanager
def locked(database: Database, *ids: int) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Somebody else has locked these accounts, until this is left, or their transaction ended."""
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("SELECT FROM account WHERE id = ANY(%s) FOR UPDATE", [list(ids)])
        yield connection


def words(outcomes: Sequence[Outcome | Lines]) -> list[str]:
    return ["-" if isinstance(one, frozenset) else type(one).__name__.lower() for one in outcomes]


async def test_commands_on_a_line_that_is_taken_are_put_off_with_what_comes_after_them(store: Store) -> None:
    ann, bob, cid = await open_accounts(store, *[opening() for _ in range(3)])
    commands: list[Command] = [
        payment(ann, "1"),
        payment(bob, "1", key="k"),
        payment(cid, "1", key="l"),
        enqueue(withdrawal(ann, "1")),
        payment(cid, "1"),
    ]
    outcomes = await settle_free(store, commands, {(1, ann), (1, "l")})
    assert words(outcomes) == ["-", "posted", "-", "-", "-"]
    assert outcomes[0] == frozenset({(1, ann)})
    assert outcomes[2] == frozenset[Line]({(1, "l")}), "what stops it"
    assert words(await settle_free(store, commands)) == ["posted", "replayed", "posted", "queued", "posted"]


async def test_what_is_taken_is_not_locked(store: Store, database: Database) -> None:
    """The flight of the line's lane may be waiting for it."""
    ann, bob = await open_accounts(store, opening(), opening())
    with locked(database, ann):
        async with asyncio.timeout(5):
            outcomes = await settle_free(store, [payment(ann, "1"), payment(bob, "1")], {(1, ann)}, Patience.FIRST)
    assert words(outcomes) == ["-", "posted"]


async def test_it_waits_for_what_is_locked_and_meanwhile_locks_nothing_else(store: Store, database: Database) -> None:
    ann, bob, cid = await open_accounts(store, *[opening() for _ in range(3)])
    with locked(database, bob) as others:
        waiting = asyncio.create_task(
            settle_free(store, [payment(ann, "5"), payment(bob, "5"), transfer(bob, cid, "1")], patience=Patience.FIRST)
        )
        await waits(database)
        async with asyncio.timeout(5):
            beside = await settle(store, [payment(ann, "1"), payment(cid, "1")])
        assert words(beside) == ["posted", "posted"]
        assert not waiting.done()
        others.rollback()
        outcomes = await waiting
    assert words(outcomes) == ["posted"] * 3
    assert isinstance(outcomes[0], Posted)
    assert isinstance(beside[0], Posted)
    assert outcomes[0].ctime > beside[0].ctime


WAYS: dict[str, tuple[int, Callable[[Store, Sequence[Command]], Awaitable[object]]]] = {
    "settle": (LEAST_MS, lambda store, commands: settle(store.waiting(), commands)),
    "before anything else": (
        FIRST_WAIT_MS,
        lambda store, commands: settle_free(store, commands, patience=Patience.FIRST),
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_it_waits_no_longer_than_it_was_told(store: Store, database: Database, way: str) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    commands = [payment(ann, "1"), payment(bob, "1")]
    wait_ms, settling = WAYS[way]
    with locked(database, bob):
        began = time.monotonic()
        with pytest.raises(Obstructed):
            await settling(store, commands)
        took_s = time.monotonic() - began
    assert wait_ms / 1_000 <= took_s < 1.5, "less than the connection's own limit"
    assert words(await settle(store, commands)) == ["posted", "posted"]


@pytest.mark.parametrize("patience", [Patience.NONE, Patience.SPENT, Patience.BATCHES])
@pytest.mark.parametrize("locks", [True, False])
async def test_a_key_that_somebody_has_is_waited_for_no_longer_either(
    store: Store, database: Database, patience: Patience, *, locks: bool
) -> None:
    [ann] = await open_accounts(store, opening())
    command = payment(ann, "1", key="k") if locks else enqueue(payment(ann, "1", key="k"))
    with psycopg.connect(database.owner_url) as other:
        other.execute("INSERT INTO receipt (ledger_id, idempotency_key, transaction_id) VALUES (1, 'k', 7)")
        began = time.monotonic()
        with pytest.raises(Obstructed):
            await settle_free(store.waiting(), [command], patience=patience)
        assert time.monotonic() - began < 1.5
        other.rollback()


@pytest.mark.parametrize("savepoints", [False, True])
async def test_once_a_stranger_was_met_nothing_that_strangers_hold_is_waited_for(
    store: Store, database: Database, *, savepoints: bool
) -> None:
    ann, bob, cid, dan = await open_accounts(store, *[opening() for _ in range(4)])
    assert not store.strangers.are_around
    with locked(database, ann) as stranger:
        assert words(await settle_free(store, [payment(ann, "1")], patience=Patience.SPENT)) == ["-"]
        assert store.strangers.are_around
        if savepoints:
            stranger.execute("SAVEPOINT one")
        stranger.execute("SELECT FROM account WHERE id = %s FOR NO KEY UPDATE", [bob])
        commands = [payment(bob, "1"), transfer(bob, cid, "1"), payment(cid, "1"), payment(dan, "1")]
        async with asyncio.timeout(5):
            outcomes = await settle_free(store, commands, patience=Patience.BATCHES, watched=frozenset())
        assert words(outcomes) == ["-", "-", "posted", "posted"]
        assert outcomes[0] == outcomes[1] == frozenset({(1, bob)})
        assert all(isinstance(one, Stopped) and one.lasting == {(1, bob)} for one in outcomes[:2])
    assert words(await settle_free(store, commands[:2])) == ["posted"] * 2


async def test_another_batch_is_no_stranger(store: Store) -> None:
    [ann] = await open_accounts(store, opening())
    async with store.batch() as batch:
        await batch.lock(await batch.resolve([payment(ann, "1")]))
        waiting = asyncio.create_task(settle_free(store, [payment(ann, "1")], patience=Patience.BATCHES))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert words(await waiting) == ["posted"]


def test_a_stranger_is_remembered_for_a_while() -> None:
    now = 100.0
    strangers = Strangers(clock=lambda: now)
    assert not strangers.are_around
    strangers.met()
    now += LASTS_S - 0.1
    assert strangers.are_around
    now += 0.2
    assert not strangers.are_around


async def test_the_limit_is_the_batchs_own_and_not_the_connections(store: Store, database: Database) -> None:
    [ann] = await open_accounts(store, opening())
    await settle(store.waiting(), [payment(ann, "1")])
    with locked(database, ann) as others:
        waiting = asyncio.create_task(settle(store, [payment(ann, "1")]))
        await waits(database)
        await asyncio.sleep(0.3)
        others.rollback()
        assert words(await waiting) == ["posted"]


def test_a_batch_waits_for_a_lock_several_times_as_long_as_batches_hold_theirs() -> None:
    wait = LockWait(2_000)
    assert wait.ms == LEAST_MS
    wait.held(0.05)
    assert wait.ms == 50 * TIMES
    wait.held(0.01)
    assert wait.ms == round((50 - FORGETS * 40) * TIMES)
    for _ in range(200):
        wait.held(0.001)
    assert wait.ms == LEAST_MS
    wait.held(3.0)
    assert wait.ms == 2_000
