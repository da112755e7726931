"""What another transaction gets in the way of is settled again: on a real PostgreSQL, against real other clients."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import psycopg
import pytest

from koshel.batching.batcher import open_batcher
from koshel.batching.waiting import BatcherLimits
from koshel.core.commands import Command, Move
from koshel.core.decide import decide
from koshel.core.model import Declined, Opened, Outcome, Posted, Refusal, Replayed
from koshel.core.money import plain
from koshel.db.errors import Conflict, DatabaseUnavailable, Obstructed, OutcomeUnknown
from koshel.db.pools import TimeLimits
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import PAUSE_S, settle_again
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query, refusals, rows, waits
from tests.support.wallets import payment, transfer

pytestmark = pytest.mark.usefixtures("books")


@pytest.fixture
async def stores(database: Database) -> AsyncIterator[Store]:
    """A store that settles up to eight batches at once, and waits long for its locks, as a slow machine needs it."""
    limits = TimeLimits(lock_timeout_ms=20_000, statement_timeout_ms=30_000)
    async with open_store(StoreConfig(database.service_url, settle_connections=8, limits=limits)) as store:
        yield store


class Pauses(list[float]):
    """Notes how long the pauses would be, and takes none."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


async def test_twins_in_two_batches_at_once_move_money_once(stores: Store) -> None:
    ann, bob = await open_accounts(stores, opening(), opening())
    await settle(stores, [payment(ann, "100")])
    twin = transfer(ann, bob, "1", key="k")
    batches = await asyncio.gather(*[settle(stores, [payment(bob, "1"), twin]) for _ in range(8)])
    answers = [outcomes[1] for outcomes in batches]
    (posted,) = [answer for answer in answers if isinstance(answer, Posted)]
    assert [answer for answer in answers if answer != posted] == [Replayed(posted)] * 7


@asynccontextmanager
async def under_way(store: Store, commands: Sequence[Command]) -> AsyncIterator[list[Outcome]]:
    """A batch that has written and does not commit before the block ends."""
    async with store.batch() as batch:
        yield await batch.write(decide(await batch.lock(commands), commands))


# Commands with one key that share no account, so that no row lock makes the second wait for the first; accounts
# 1 and 2 are open. What the second is told: the field that differs, or the first one's answer.
DISJOINT: list[tuple[Command, Command, str | None]] = [
    (opening(key="k"), opening(key="k"), None),
    (payment(1, "1", key="k"), payment(2, "1", key="k"), "target_account_id"),
    (payment(1, "1", key="k"), opening(key="k"), "kind"),
    (opening(key="k"), payment(2, "1e6", key="k"), "kind"),  # would be declined, and remembered
]


@pytest.mark.parametrize(("first", "second", "field"), DISJOINT)
async def test_twins_that_share_no_account_are_settled_again_and_then_see_each_other(
    stores: Store, database: Database, first: Command, second: Command, field: str | None
) -> None:
    assert await open_accounts(stores, opening(), opening()) == [1, 2]
    pauses = Pauses()
    async with under_way(stores, [first]) as (answer,):
        batch = asyncio.create_task(settle_again(stores, [second], sleep=pauses))
        await waits(database)
    assert isinstance(answer, Posted | Opened)
    reused = Declined(second, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field or ""})
    assert await batch == [reused if field else Replayed(answer)]
    assert len(pauses) == 1


def between(dice: random.Random, ids: Sequence[int], key: str | None = None) -> Move:
    source, target = dice.sample(ids, 2)
    return transfer(source, target, "1", key=key)


async def test_many_batches_with_the_same_keys_at_once_give_each_key_one_effect(stores: Store) -> None:
    dice = random.Random(7)
    ids = await open_accounts(stores, *[opening() for _ in range(6)])
    await settle(stores, [payment(one, "500") for one in ids])
    commands = [between(dice, ids, f"k{n}") for n in range(40)]
    batches = [dice.sample(commands, len(commands)) for _ in range(8)]
    settled = await asyncio.gather(*[settle_again(stores, batch) for batch in batches])
    outcomes = [outcome for batch in settled for outcome in batch]
    posted = {outcome.key: outcome for outcome in outcomes if isinstance(outcome, Posted)}
    assert len(posted) == len(commands)
    for batch, answers in zip(batches, settled, strict=True):
        for command, answer in zip(batch, answers, strict=True):
            first = posted[command.key]
            assert answer in (first, Replayed(first))
    assert sum(isinstance(outcome, Posted) for outcome in outcomes) == len(commands)


async def test_batches_that_meet_on_the_same_accounts_never_deadlock(stores: Store, database: Database) -> None:
    dice = random.Random(8)
    ids = await open_accounts(stores, *[opening() for _ in range(5)])
    await settle(stores, [payment(one, "500") for one in ids])

    async def settle_many() -> None:
        for _ in range(5):
            await settle(stores, [between(dice, ids) for _ in range(10)])

    await asyncio.gather(*[settle_many() for _ in range(8)])  # a Conflict would be raised here
    assert query(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


async def test_a_deadlock_that_another_client_causes_is_settled_again(stores: Store, database: Database) -> None:
    ann, bob = await open_accounts(stores, opening(), opening())
    pauses = Pauses()
    lock = "SELECT FROM account WHERE id = $1 FOR UPDATE"
    # It looks for deadlocks later than the batch does, so that the batch is the one to give way.
    other = await asyncpg.connect(database.owner_url, server_settings={"deadlock_timeout": "60s"})
    try:
        async with other.transaction():
            await other.execute(lock, bob)
            batch = asyncio.create_task(settle_again(stores, [payment(ann, "1"), payment(bob, "1")], sleep=pauses))
            await waits(database)
            await other.execute(lock, ann)
        (first, second) = await batch
    finally:
        await other.close()
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert len(pauses) == 1


OBSTACLE = """
CREATE SEQUENCE attempt;
CREATE FUNCTION obstruct() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('attempt') <= {times} THEN
        RAISE EXCEPTION 'in the way' USING ERRCODE = '{code}';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER obstruct AFTER INSERT ON transaction FOR EACH STATEMENT EXECUTE FUNCTION obstruct();
"""
# How often the server reports a conflict, of which code; how many attempts there may be; how many it takes.
OBSTACLES: list[tuple[int, str, int, int | None]] = [
    (0, "40001", 5, 1),
    (1, "40001", 5, 2),
    (2, "40P01", 5, 3),
    (4, "40001", 5, 5),
    (5, "40001", 5, None),
    (1, "40P01", 1, None),
]


@pytest.mark.parametrize(("times", "code", "attempts_max", "attempts"), OBSTACLES)
async def test_a_conflict_is_settled_again_a_bounded_number_of_times(
    store: Store, database: Database, times: int, code: str, attempts_max: int, attempts: int | None
) -> None:
    (ann,) = await open_accounts(store, opening())
    execute(database.owner_url, OBSTACLE.format(times=times, code=code))
    before = rows(database)
    pauses = Pauses()
    settling = settle_again(store, [payment(ann, "1", key="k")], attempts_max=attempts_max, sleep=pauses)
    if attempts is None:
        with pytest.raises(Conflict):
            await settling
        assert rows(database) == before
    else:
        (outcome,) = await settling
        assert isinstance(outcome, Posted)
    assert query(database, "SELECT last_value FROM attempt") == [(attempts or attempts_max,)]
    assert len(pauses) == (attempts or attempts_max) - 1
    # Each pause is twice the one before, times a random half to whole.
    assert all(PAUSE_S * 2**n <= pause <= PAUSE_S * 2 ** (n + 1) for n, pause in enumerate(pauses))


async def test_what_is_no_conflict_is_not_settled_again(store: Store, database: Database) -> None:
    (ann,) = await open_accounts(store, opening())
    execute(database.owner_url, OBSTACLE.format(times=1, code="23514"))
    with pytest.raises(asyncpg.CheckViolationError):
        await settle_again(store, [payment(ann, "1")], sleep=Pauses())
    assert isinstance((await settle_again(store, [payment(ann, "1")]))[0], Posted)


async def test_a_poisonous_command_hurts_itself_only(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    poisons: list[Command] = [
        payment(ann, "1", metadata={"note": "\0"}),
        payment(ann, "1", metadata={"\0": "note"}),
        payment(ann, "1", metadata={"note": "\ud800"}),
        payment(ann, "1", key="\0"),
        transfer(ann, bob, "1e6", key="k", metadata={"note": "\0"}),  # declined, but to be remembered
        payment(2**63, "1"),
    ]
    commands = [command for poison in poisons for command in (payment(ann, "1"), poison, payment(bob, "1"))]
    outages = (DatabaseUnavailable, OutcomeUnknown)
    again = partial(settle_again, store)
    async with open_batcher(again, partition=lambda _: None, limits=BatcherLimits(), outages=outages) as batcher:
        answers = await asyncio.gather(*[batcher.submit(c, size=1) for c in commands], return_exceptions=True)
    for command, answer in zip(commands, answers, strict=True):
        assert isinstance(answer, Exception) == (command in poisons)
    accounts = [await store.get_account(1, one) for one in (ann, bob)]
    assert [(plain(one.balance), one.version) for one in accounts if one] == [("6.00", 6)] * 2


async def test_a_lock_that_is_held_too_long_obstructs_and_nothing_is_done(database: Database) -> None:
    config = StoreConfig(database.service_url, limits=TimeLimits(lock_timeout_ms=100))
    async with open_store(config) as store:
        ann, bob = await open_accounts(store, opening(), opening())
        commands = [payment(bob, "1"), payment(ann, "1")]
        before = rows(database)
        with psycopg.connect(database.owner_url) as other:
            other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", (ann,))
            with pytest.raises(Obstructed):
                await settle_again(store, commands, sleep=Pauses())
            assert rows(database) == before
            assert refusals(await settle_again(store, commands[:1])) == [None]  # the connection serves on
        assert refusals(await settle_again(store, commands)) == [None, None]


async def test_a_connection_that_is_cut_before_commit_has_done_nothing(store: Store, database: Database) -> None:
    (ann,) = await open_accounts(store, opening())
    with psycopg.connect(database.owner_url) as other:
        other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", (ann,))
        batch = asyncio.create_task(settle_again(store, [payment(ann, "1", key="k")]))
        await waits(database)
        query(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()",
        )
        with pytest.raises(DatabaseUnavailable):
            await batch
    (outcome,) = await settle_again(store, [payment(ann, "1", key="k")])
    assert isinstance(outcome, Posted)
