"""What a service does besides: asks callers who they are, counts, finds names, keeps limits; against it without."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import aiohttp
import psycopg
import uvloop
from msgspec import Struct
from msgspec.structs import replace

from bench import servers
from bench.against import Compared
from bench.books import ACCOUNTS, BATCH, MAIN, TEMPLATE, analyze, open_accounts, prove
from bench.contest import Contest, Contestant
from bench.load import TRANSFERS, Shape
from koshel import Ledger
from koshel.callers import Scope
from koshel.core.money import INTEGER_DIGITS_MAX
from koshel.db.access import api_keys, ledgers
from koshel.db.starting.migrate import migrate
from koshel.db.starting.once import transact
from tests.support.jwt_issuer import AUDIENCE, ISSUER, jwks, rsa_signer

SHAPE = Shape("uniform", 256, keys=False)
HOT = Shape("hot", 256, keys=False)  # all to account 1
LEDGERS = 1_000
LIMITS = ({"per": "1d", "out": "1000000000000", "in": "1000000000000"},)
CONNECTIONS = 32  # over so many both workers surely meet each name
TOGETHER = 100  # accounts that are changed at once
LEDGERS_TEMPLATE = "template_ledgers_bench"
KEYED = "API keys on, against off"
WITH_JWT = "a JWT, against no keys"
MEASURED = "metrics on, against off"
NAMED = "accounts by name, against by id"
LIMITED = "an account with a limit by time, against one without"
ALL_LIMITED = "all accounts with a limit by time, against without"
MANY = f"{LEDGERS:,} ledgers with a key each, against one with a key"


class Asking(Struct, frozen=True):
    """A service to be measured: its name, its settings, the tokens that are sent, the books it begins with."""

    name: str
    settings: Mapping[str, Any]
    tokens: Callable[[str], Sequence[str]] | None = None  # made in that database
    template: str = TEMPLATE
    prepare: Callable[[str], None] | None = None  # makes the accounts of that database others than in the template
    names: bool = False  # accounts are asked for by name


def callers(contest: Contest, *, rounds: int) -> Iterator[Compared]:
    """Each pair in turn, each of it on a database of its own."""
    with_key = Asking("keys", {}, _main_key)
    many = Asking("ledgers", {}, lambda url: uvloop.run(_keys_of_all(url)), LEDGERS_TEMPLATE)
    _fill(contest)
    pairs = [
        (KEYED, with_key, Asking("open", {})),
        (WITH_JWT, _with_jwt(contest), Asking("open", {})),
        (MEASURED, Asking("measured", {}), Asking("unmeasured", {"metrics": "off"})),
        (MANY, many, with_key),
        (NAMED, Asking("named", {}, prepare=_name_all, names=True), Asking("by_id", {}, prepare=_name_all)),
        (ALL_LIMITED, Asking("limited", {}, prepare=_limit_all), Asking("unlimited", {}, prepare=_change_all)),
    ]
    for what, ours, other in pairs:
        yield _compared(contest, what, (ours, other), rounds)
    one, none = Asking("one_limited", {}, prepare=_limit_one), Asking("one_unlimited", {}, prepare=_change_one)
    yield _compared(contest, LIMITED, (one, none), rounds, HOT)


def _compared(contest: Contest, what: str, pair: tuple[Asking, Asking], rounds: int, shape: Shape = SHAPE) -> Compared:
    with ExitStack() as stack:
        contestants, urls = [], []
        for one in pair:
            (url,) = stack.enter_context(contest.databases.fresh(f"{one.name}_bench", template=one.template))
            if one.prepare is not None:
                one.prepare(url)
                analyze(url)
            traffic = replace(TRANSFERS, names="names" if one.names else "")
            if one.tokens is not None:
                tokens = contest.directory / f"{one.name}.tokens"
                tokens.write_text("".join(f"{token}\n" for token in one.tokens(url)))
                traffic = replace(traffic, tokens=str(tokens))
            server = stack.enter_context(
                servers.koshel(url, contest.plan.workers, contest.directory, settings=one.settings)
            )
            if one.names:
                uvloop.run(_learn(server.url("/transaction/batch")))
            contestants.append(Contestant(one.name, server, server.url(), lambda: None, url, traffic))
            urls.append(url)
        runs = contest.turns(shape, contestants, rounds)
        for url in urls:
            contest.prove(partial(prove, url))
    return Compared(what, shape, runs[pair[0].name], runs[pair[1].name])


def _with_jwt(contest: Contest) -> Asking:
    issuer = rsa_signer()
    keys = contest.directory / "jwks.json"
    keys.write_bytes(jwks(issuer))
    settings = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": keys}
    return Asking("jwt", settings, lambda _: [issuer.sign(exp=int(time.time()) + 3_600)])


def _name_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE account SET name = 'users:' || id")


async def _learn(url: str) -> None:
    """Let the workers meet each name, in batches that are refused: a worker looks up what it does not know."""
    names = [f"users:{id_}" for id_ in range(1, ACCOUNTS + 1)]
    too_much = "9" * INTEGER_DIGITS_MAX
    pairs = zip(names[::2], names[1::2], strict=True)
    members = [{"source": source, "target": target, "amount": too_much} for source, target in pairs]
    bodies = [{"transactions": members[first : first + BATCH]} for first in range(0, len(members), BATCH)]

    async def refused(session: aiohttp.ClientSession, body: Mapping[str, Any]) -> None:
        async with session.post(url, json=body) as response:
            assert response.status == 409, await response.text()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        await asyncio.gather(*(refused(session, body) for _ in range(CONNECTIONS) for body in bodies))


def _limit_all(url: str) -> None:
    uvloop.run(_change(url, ACCOUNTS, limits=LIMITS))


def _limit_one(url: str) -> None:
    uvloop.run(_change(url, 1, limits=LIMITS))


def _change_all(url: str) -> None:
    """As often as with limits, so that the tables are as large."""
    uvloop.run(_change(url, ACCOUNTS, metadata={"limited": "no"}))


def _change_one(url: str) -> None:
    uvloop.run(_change(url, 1, metadata={"limited": "no"}))


async def _change(url: str, last: int, **to: Any) -> None:
    """The accounts from 1 to `last`."""
    async with Ledger.open(url) as ledger:
        for first in range(1, last + 1, TOGETHER):
            ids = range(first, min(first + TOGETHER, last + 1))
            await asyncio.gather(*(ledger.change_account(id_, **to) for id_ in ids))


def _main_key(url: str) -> Sequence[str]:
    made = uvloop.run(transact(url, partial(_add_key, ledger_id=MAIN)))
    return [made.text]


async def _keys_of_all(url: str) -> Sequence[str]:
    """A key for each ledger, in the order of their accounts."""

    async def make(connection: Any, q: Any) -> list[str]:
        found = sorted(await ledgers.all_of_them(connection, q), key=lambda one: one.id)
        made = [await _add_key(connection, q, one.id) for one in found if one.id != MAIN]
        return [key.text for key in made]

    return await transact(url, make)


async def _add_key(connection: Any, q: Any, ledger_id: int) -> api_keys.NewKey:
    return await api_keys.add(connection, q, ledger_id, Scope.WRITE, name="bench", lasts_s=None)


def _fill(contest: Contest) -> None:
    """The template with as many accounts as the other, spread over the ledgers in order."""
    if contest.databases.has(LEDGERS_TEMPLATE):
        return
    url = contest.databases.create(LEDGERS_TEMPLATE)
    migrate(url)

    async def make(connection: Any, q: Any) -> list[int]:
        return [(await ledgers.add(connection, q, f"ledger-{number}")).id for number in range(LEDGERS)]

    ids = uvloop.run(transact(url, make))
    found = uvloop.run(open_accounts(url, ids, ACCOUNTS // LEDGERS))
    assert [one for some in found for one in some] == list(range(1, ACCOUNTS + 1)), "the load generator counts on it"
    analyze(url)
