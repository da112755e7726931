"""Asking callers who they are, and counting what they do: each against the same service without it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import uvloop
from msgspec import Struct
from msgspec.structs import replace

from bench import servers
from bench.against import Compared
from bench.books import ACCOUNTS, MAIN, TEMPLATE, analyze, open_accounts, prove
from bench.contest import Contest, Contestant
from bench.load import TRANSFERS, Shape
from koshel.callers import Scope
from koshel.db import api_keys, ledgers
from koshel.db.migrate import migrate
from koshel.db.once import transact
from tests.support.jwt_issuer import AUDIENCE, ISSUER, jwks, rsa_signer

SHAPE = Shape("uniform", 256, keys=False)
LEDGERS = 1_000
LEDGERS_TEMPLATE = "template_ledgers_bench"
KEYED = "API keys on, against off"
WITH_JWT = "a JWT, against no keys"
MEASURED = "metrics on, against off"
MANY = f"{LEDGERS:,} ledgers with a key each, against one with a key"


class Asking(Struct, frozen=True):
    """A service to be measured: its name, its settings, the tokens that are sent, the books it begins with."""

    name: str
    settings: Mapping[str, Any]
    tokens: Callable[[str], Sequence[str]] | None = None  # made in that database
    template: str = TEMPLATE


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
    ]
    for what, ours, other in pairs:
        yield _compared(contest, what, (ours, other), rounds)


def _compared(contest: Contest, what: str, pair: tuple[Asking, Asking], rounds: int) -> Compared:
    with ExitStack() as stack:
        contestants, urls = [], []
        for one in pair:
            (url,) = stack.enter_context(contest.databases.fresh(f"{one.name}_bench", template=one.template))
            traffic = TRANSFERS
            if one.tokens is not None:
                tokens = contest.directory / f"{one.name}.tokens"
                tokens.write_text("".join(f"{token}\n" for token in one.tokens(url)))
                traffic = replace(TRANSFERS, tokens=str(tokens))
            server = stack.enter_context(
                servers.koshel(url, contest.plan.workers, contest.directory, settings=one.settings)
            )
            contestants.append(Contestant(one.name, server, server.url(), lambda: None, url, traffic))
            urls.append(url)
        runs = contest.turns(SHAPE, contestants, rounds)
        for url in urls:
            contest.prove(partial(prove, url))
    return Compared(what, SHAPE, runs[pair[0].name], runs[pair[1].name])


def _with_jwt(contest: Contest) -> Asking:
    issuer = rsa_signer()
    keys = contest.directory / "jwks.json"
    keys.write_bytes(jwks(issuer))
    settings = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": keys}
    return Asking("jwt", settings, lambda _: [issuer.sign(exp=int(time.time()) + 3_600)])


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
