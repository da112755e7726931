"""`settle` alone, without HTTP: commands of one ledger against commands of a thousand, batch by batch in turn.

And of one ledger in several processes at once, as many as a server has workers: what HTTP is measured against.
"""

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from statistics import median
from typing import TypeAlias

import psycopg
import uvloop
from msgspec import Struct
from msgspec.structs import replace
from psycopg.rows import tuple_row

from bench.books import ACCOUNTS, BATCH, MAIN, Databases, analyze, open_accounts, prove
from koshel.core.commands import Command, Kind, Move
from koshel.core.model import Posted
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle

LEDGERS = 1_000
WARM_UP_BATCHES = 20  # each statement is planned anew the first five times
POOL = 64  # batches that processes make before they start, and send round and round, as the load generator does
STARTS_WITHIN_S = 60

Accounts: TypeAlias = Sequence[tuple[int, Sequence[int]]]  # ledger id, its account ids


class Settling(Struct, frozen=True):
    """Transfers a second with all commands in one ledger, and in a thousand."""

    batch: int
    keys: bool
    one_per_s: float
    many_per_s: float

    @property
    def ratio(self) -> float:
        """Many against one."""
        return self.many_per_s / self.one_per_s


class NotPosted(Exception):
    """A transfer was refused: what was measured is something else."""


def settling(databases: Databases, *, seconds: float, rounds: int) -> Iterator[Settling]:
    """One row for each batch size, with and without keys; each takes `seconds` * `rounds` or so."""
    with databases.fresh("settle_bench") as (url,):
        many = _open_ledgers(url)
        for batch in (50, 500):
            for keys in (False, True):
                rates = [
                    uvloop.run(_round(url, [commands_of_main(batch, keys=keys), _commands(many, batch, keys)], seconds))
                    for _ in range(rounds)
                ]
                yield Settling(batch, keys, *(median(column) for column in zip(*rates, strict=True)))
                prove(url)


def _open_ledgers(url: str) -> Accounts:
    with psycopg.connect(url, row_factory=tuple_row) as connection:
        found = connection.execute(
            "INSERT INTO ledger (name) SELECT 'bench-' || n FROM generate_series(1, %s) AS n RETURNING id", (LEDGERS,)
        )
        ledger_ids = [row[0] for row in found]
    accounts = uvloop.run(open_accounts(url, ledger_ids, ACCOUNTS // LEDGERS))
    analyze(url)
    return list(zip(ledger_ids, accounts, strict=True))


def commands_of_main(batch: int, *, keys: bool) -> Callable[[], list[Move]]:
    """Makes batches of transfers among the accounts of the ledger `main`."""
    return _commands([(MAIN, range(1, ACCOUNTS + 1))], batch, keys)


def _commands(accounts: Accounts, batch: int, keys: bool) -> Callable[[], list[Move]]:  # noqa: FBT001  a column
    """Makes one batch: each command in a ledger drawn at random, between two of its accounts."""
    chance = random.Random()

    def make() -> list[Move]:
        commands = []
        for ledger_id, ids in chance.choices(accounts, k=batch):
            source, target = chance.sample(ids, 2)
            amount = Decimal(chance.randint(1, 999)).scaleb(-2)
            key = f"{chance.getrandbits(128):032x}" if keys else None
            commands.append(Move(ledger_id, Kind.TRANSFER, source, target, amount, key=key))
        return commands

    return make


async def _round(url: str, makers: Sequence[Callable[[], Sequence[Command]]], seconds: float) -> list[float]:
    """Transfers a second of each maker's batches, over a connection of its own, in turn."""
    spent = [0.0 for _ in makers]
    posted = [0 for _ in makers]
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_store(StoreConfig(url))) for _ in makers]
        for _ in range(WARM_UP_BATCHES):
            for store, make in zip(stores, makers, strict=True):
                await _settle(store, make())
        while sum(spent) < seconds:
            for place, (store, make) in enumerate(zip(stores, makers, strict=True)):
                commands = make()
                spent[place] += await _settle(store, commands)
                posted[place] += len(commands)
    return [count / duration for count, duration in zip(posted, spent, strict=True)]


async def _settle(store: Store, commands: Sequence[Command]) -> float:
    """Settle one batch; how many seconds that took."""
    start = time.perf_counter()
    outcomes = await settle(store, commands)
    took = time.perf_counter() - start
    for outcome in outcomes:
        if not isinstance(outcome, Posted):
            raise NotPosted(str(outcome))
    return took


def together(url: str, *, keys: bool, seconds: float, processes: int) -> float:
    """Transfers a second of so many processes, each settling batches of its own in one ledger. Raises NotPosted."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    rates: SimpleQueue[float] = context.SimpleQueue()
    started = [
        context.Process(target=_settle_for, args=(url, keys, seconds, barrier, rates), daemon=True)
        for _ in range(processes)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    if any(process.exitcode for process in started):
        raise NotPosted("a process that settles has failed; see above")
    return sum(rates.get() for _ in started)


def _settle_for(url: str, keys: bool, seconds: float, barrier: Barrier, rates: "SimpleQueue[float]") -> None:  # noqa: FBT001
    """One of the processes: its rate goes into the queue."""
    rates.put(uvloop.run(_rate(url, keys=keys, seconds=seconds, barrier=barrier)))


async def _rate(url: str, *, keys: bool, seconds: float, barrier: Barrier) -> float:
    make = commands_of_main(BATCH, keys=False)
    batches, posted = [make() for _ in range(POOL)], 0
    async with open_store(StoreConfig(url)) as store:
        for batch in batches[:WARM_UP_BATCHES]:
            await _settle(store, batch)
        barrier.wait(STARTS_WITHIN_S)
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            batch = batches[posted // BATCH % POOL]
            await _settle(store, _with_keys(batch) if keys else batch)
            posted += BATCH
        return posted / (time.perf_counter() - start)


def _with_keys(batch: Sequence[Move]) -> list[Move]:
    salt = f"{random.getrandbits(96):024x}"
    return [replace(move, key=f"{random.getrandbits(32):08x}-{salt}-{place}") for place, move in enumerate(batch)]
