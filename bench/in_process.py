"""`settle` alone, without HTTP: commands of one ledger against commands of a thousand, batch by batch in turn."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from statistics import median
from typing import TypeAlias

import psycopg
import uvloop
from msgspec import Struct
from psycopg.rows import tuple_row

from bench.books import ACCOUNTS, MAIN, Databases, analyze, open_accounts, prove
from koshel.core.model import Command, Kind, Move, Posted
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle

LEDGERS = 1_000
WARM_UP_BATCHES = 20  # each statement is planned anew the first five times

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
        one = [(MAIN, range(1, ACCOUNTS + 1))]
        for batch in (50, 500):
            for keys in (False, True):
                rates = [
                    uvloop.run(_round(url, [_commands(one, batch, keys), _commands(many, batch, keys)], seconds))
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


def _commands(accounts: Accounts, batch: int, keys: bool) -> Callable[[], list[Command]]:  # noqa: FBT001  a column
    """Makes one batch: each command in a ledger drawn at random, between two of its accounts."""
    chance = random.Random()

    def make() -> list[Command]:
        commands: list[Command] = []
        for ledger_id, ids in chance.choices(accounts, k=batch):
            source, target = chance.sample(ids, 2)
            amount = Decimal(chance.randint(1, 999)).scaleb(-2)
            key = f"{chance.getrandbits(128):032x}" if keys else None
            commands.append(Move(ledger_id, Kind.TRANSFER, source, target, amount, {}, key))
        return commands

    return make


async def _round(url: str, makers: Sequence[Callable[[], list[Command]]], seconds: float) -> list[float]:
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
