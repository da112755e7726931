"""This version of Koshel in turn with another: 0.2.0, or that of `python -m bench --only against --other PYTHON`.

PYTHON is the interpreter of the other checkout's virtual environment, with Koshel installed in it. Each
version migrates a database of its own, fills it over HTTP and proves it with its own `koshel verify`.
"""

import asyncio
import itertools
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import aiohttp
import uvloop
from msgspec import Struct

from bench import servers
from bench.batches import BATCH_CONNECTIONS
from bench.books import ACCOUNTS, FUNDS, BooksWrong, analyze
from bench.contest import Contest, Contestant, Measure, middle
from bench.load import BATCHES, PAIRS, TRANSFERS, Shape, Traffic
from bench.servers import THIS, ServerFailed

AT_ONCE = 64  # requests, while the accounts are opened


class Version(Struct, frozen=True):
    """A version of Koshel: the interpreter that runs it, and where its own bench is."""

    name: str
    python: Path
    home: Path = servers.ROOT

    @property
    def template(self) -> str:
        """The name of the database that it has filled."""
        return f"template_{self.name}_bench"

    def prove(self, url: str) -> None:
        """Verify the books. Raises BooksWrong."""
        done = self.run("-m", "koshel", "verify", database_url=url)
        if done.returncode:
            raise BooksWrong(f"{self.name}: {(done.stdout + done.stderr)[:500]}")

    def run(self, *arguments: str, database_url: str) -> "subprocess.CompletedProcess[str]":
        """Its Python, with arguments, where its own bench is."""
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.home,
            env=servers.environment({"KOSHEL_DATABASE_URL": database_url}),
            capture_output=True,
            check=False,
            text=True,
        )


OURS = Version("ours", THIS)


class Asked(Struct, frozen=True):
    """What both versions are asked for."""

    what: str
    shape: Shape
    traffic: Traffic = TRANSFERS
    path: str = "/transaction"


SINGLE, BATCHED, HELD = "single transfers", "batches of 500", "pairs of hold and capture"
EARLIER = (
    *(Asked(SINGLE, Shape(who, 256, keys)) for who in ("uniform", "hot") for keys in (False, True)),
    Asked(BATCHED, Shape("uniform", BATCH_CONNECTIONS, keys=False), BATCHES, "/transaction/batch"),
    Asked(HELD, Shape("uniform", 256, keys=False), PAIRS),
)  # of 0.2.0


class Compared(Struct, frozen=True):
    """One shape's rounds, run by run."""

    what: str
    shape: Shape
    ours: Sequence[Measure]
    other: Sequence[Measure]

    @property
    def medians(self) -> tuple[Measure, Measure]:
        """Ours, the other's."""
        return middle(self.ours), middle(self.other)

    @property
    def ratios(self) -> list[float]:
        """Ours against the other's transfers a second, by round."""
        return self.by_round(lambda one: one.per_s)

    def by_round(self, figure: Callable[[Measure], float]) -> list[float]:
        """Ours against the other's figure, of runs that followed each other."""
        return [figure(ours) / figure(other) for ours, other in zip(self.ours, self.other, strict=True)]

    def __str__(self) -> str:
        ours, other = self.medians
        cpu = median(self.by_round(lambda one: one.worker_us))
        return (
            f"{self.what}, {self.shape}: ours {ours.per_s:,.0f}/s, other {other.per_s:,.0f}/s, "
            f"ratio {median(self.ratios):.3f} ({min(self.ratios):.2f} to {max(self.ratios):.2f}), worker CPU {cpu:.2f}"
        )


def asked(*, quick: bool) -> Iterator[Asked]:
    """Those to be compared. Quick: only the busiest."""
    for distribution, connections, keys in itertools.product(
        ("uniform", "hot"), (256,) if quick else (256, 64, 1), (False, True)
    ):
        yield Asked(SINGLE, Shape(distribution, connections, keys))


def against(contest: Contest, other: Version, wanted: Iterable[Asked], rounds: int | None = None) -> Iterator[Compared]:
    """Both versions in turn, shape by shape."""
    versions = (OURS, other)
    for version in versions:
        if not contest.databases.has(version.template):
            _fill(contest, version)
    for one in wanted:
        with ExitStack() as stack:
            contestants, urls = [], []
            for version in versions:
                (url,) = stack.enter_context(
                    contest.databases.fresh(f"{version.name}_bench", template=version.template)
                )
                server = stack.enter_context(
                    servers.koshel(url, contest.plan.workers, contest.directory, python=version.python)
                )
                # Proved when all rounds are over, so that the turns follow each other closely.
                contestants.append(
                    Contestant(version.name, server, server.url(one.path), lambda: None, url, one.traffic)
                )
                urls.append(url)
            runs = contest.turns(one.shape, contestants, rounds)
            for version, url in zip(versions, urls, strict=True):
                version.prove(url)
        yield Compared(one.what, one.shape, runs[OURS.name], runs[other.name])


def _fill(contest: Contest, version: Version) -> None:
    """Make the template: a migrated database with ACCOUNTS accounts from id 1, each with FUNDS."""
    url = contest.databases.create(version.template)
    with servers.koshel(url, 1, contest.directory, python=version.python) as server:
        uvloop.run(_open_accounts(server.url("")))
    analyze(url)


async def _open_accounts(base: str) -> None:
    async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def post(path: str, body: Mapping[str, object]) -> int:
            async with session.post(path, json=body) as response:
                if response.status != 201:
                    raise ServerFailed(f"POST {path} was answered {response.status}: {await response.text()}")
                return int((await response.json())["id"])

        opening = {"email": "bench@example.com", "max_balance": None}
        ids = await asyncio.gather(*(post("/account", opening) for _ in range(ACCOUNTS)))
        assert sorted(ids) == list(range(1, ACCOUNTS + 1)), "the load generator counts on it"
        await asyncio.gather(*(post(f"/account/{id_}/payment", {"amount": str(FUNDS)}) for id_ in ids))
