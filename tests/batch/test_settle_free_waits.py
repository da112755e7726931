"""A batch that waits for what others have locked, and for nothing else, on a real PostgreSQL."""

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
from koshel.db.holders import FORGOTTEN_S
from koshel.db.store import Store
from koshel.lock_wait import FORGETS, LEAST_MS, TIMES, LockWait
from koshel.settle import settle
from koshel.settle_free import settle_free
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, waits
from tests.support.wallets import enqueue, payment, transfer, withdrawal

pytestmark = pytest.mark.usefixtures("books")

WAIT_MS = 60
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
    outcomes = await settle_free(store, commands, {ann, (1, "l")})
    assert words(outcomes) == ["-", "posted", "-", "-", "-"]
    assert outcomes[0] == frozenset({ann})
    assert outcomes[2] == frozenset[Line]({cid, (1, "l")})
    assert words(await settle_free(store, commands)) == ["posted", "replayed", "posted", "queued", "posted"]


async def test_what_is_taken_is_not_locked(store: Store, database: Database) -> None:
    """The flight of the line's lane may be waiting for it."""
    ann, bob = await open_accounts(store, opening(), opening())
    with locked(database, ann):
        async with asyncio.timeout(5):
            outcomes = await settle_free(store, [payment(ann, "1"), payment(bob, "1")], {ann}, 60_000, first=True)
    assert words(outcomes) == ["-", "posted"]


async def test_it_waits_for_what_is_locked_and_meanwhile_locks_nothing_else(store: Store, database: Database) -> None:
    ann, bob, cid = await open_accounts(store, *[opening() for _ in range(3)])
    with locked(database, bob) as others:
        waiting = asyncio.create_task(
            settle_free(
                store, [payment(ann, "5"), payment(bob, "5"), transfer(bob, cid, "1")], wait_ms=60_000, first=True
            )
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


WAYS: dict[str, Callable[[Store, Sequence[Command]], Awaitable[object]]] = {
    "settle": lambda store, commands: settle(store.waiting(WAIT_MS), commands),
    "beside what is taken": lambda store, commands: settle_free(store, commands, {MISSING}, WAIT_MS),
    "before anything else": lambda store, commands: settle_free(store, commands, wait_ms=WAIT_MS, first=True),
}


@pytest.mark.parametrize("way", WAYS)
async def test_it_waits_no_longer_than_it_was_told(store: Store, database: Database, way: str) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    commands = [payment(ann, "1"), payment(bob, "1")]
    with locked(database, bob):
        began = time.monotonic()
        with pytest.raises(Obstructed):
            await WAYS[way](store, commands)
        took_s = time.monotonic() - began
    assert WAIT_MS / 1_000 <= took_s < 1.5, "less than the connection's own limit"
    assert words(await settle(store, commands)) == ["posted", "posted"]


async def test_nothing_else_that_a_transaction_holds_is_waited_for_once_it_has_held_something_for_long(
    store: Store, database: Database
) -> None:
    ann, bob, cid, dan = await open_accounts(store, *[opening() for _ in range(4)])
    with locked(database, ann, bob) as stranger:
        for _ in range(2):
            with pytest.raises(Obstructed):
                await settle_free(store, [payment(ann, "1")], wait_ms=WAIT_MS, first=True)
        async with asyncio.timeout(5):
            commands = [payment(bob, "1"), transfer(bob, cid, "1"), payment(cid, "1"), payment(dan, "1")]
            outcomes = await settle_free(store, commands, wait_ms=60_000)
        assert words(outcomes) == ["-", "-", "-", "posted"]
        # Another transaction is waited for: it may be a batch.
        with locked(database, dan), pytest.raises(Obstructed):
            await settle_free(store, [payment(dan, "1")], wait_ms=WAIT_MS)
        stranger.rollback()
    # That it has ended is seen by those who look: for the others its accounts are locked for a moment yet.
    assert words(await settle_free(store, commands)) == ["posted"] * 4
    await asyncio.sleep(FORGOTTEN_S)
    assert words(await settle_free(store, commands, wait_ms=60_000)) == ["posted"] * 4


async def test_the_limit_is_the_batchs_own_and_not_the_connections(store: Store, database: Database) -> None:
    [ann] = await open_accounts(store, opening())
    await settle(store.waiting(10), [payment(ann, "1")])
    with locked(database, ann) as others:
        waiting = asyncio.create_task(settle(store, [payment(ann, "1")]))
        await waits(database)
        await asyncio.sleep(0.3)
        others.rollback()
        assert words(await waiting) == ["posted"]


def test_a_batch_waits_several_times_as_long_as_batches_take() -> None:
    wait = LockWait(2_000)
    assert wait.ms == LEAST_MS
    wait.took(0.05)
    assert wait.ms == 50 * TIMES
    wait.took(0.01)
    assert wait.ms == round((50 - FORGETS * 40) * TIMES)
    for _ in range(200):
        wait.took(0.001)
    assert wait.ms == LEAST_MS
    wait.took(3.0)
    assert wait.ms == 2_000
