"""This version of Koshel in turn with another: `python -m bench --only against --other PYTHON`.

PYTHON is the interpreter of the other checkout's virtual environment, with Koshel installed in it. Each
version migrates a database of its own, fills it over HTTP and proves it with its own `koshel verify`.
"""

import asyncio
import itertools
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import aiohttp
import uvloop
from msgspec import Struct

from bench import servers
from bench.books import ACCOUNTS, FUNDS, BooksWrong, analyze
from bench.contest import Contest, Contestant, Measure, middle
from bench.load import Shape
from bench.servers import THIS, ServerFailed

AT_ONCE = 64  # requests, while the accounts are opened


class Version(Struct, frozen=True):
    """A version of Koshel: the interpreter that runs it."""

    name: str
    python: Path

    @property
    def template(self) -> str:
        """The name of the database that it has filled."""
        return f"template_{self.name}_bench"

    def prove(self, url: str) -> None:
        """Verify the books. Raises BooksWrong."""
        done = subprocess.run(
            [str(self.python), "-m", "koshel", "verify"],
            cwd=servers.ROOT,
            env=servers.environment({"KOSHEL_DATABASE_URL": url}),
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            raise BooksWrong(f"{self.name}: {(done.stdout + done.stderr)[:500]}")


class Compared(Struct, frozen=True):
    """One shape's rounds, run by run."""

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
        return [ours.per_s / other.per_s for ours, other in zip(self.ours, self.other, strict=True)]

    def __str__(self) -> str:
        ours, other = self.medians
        return (
            f"{self.shape}: ours {ours.per_s:,.0f}/s, other {other.per_s:,.0f}/s, ratio {median(self.ratios):.3f} "
            f"({min(self.ratios):.2f} to {max(self.ratios):.2f})"
        )


def shapes(*, quick: bool) -> Iterator[Shape]:
    """Those to be compared. Quick: only the busiest."""
    for distribution, connections, keys in itertools.product(
        ("uniform", "hot"), (256,) if quick else (256, 64, 1), (False, True)
    ):
        yield Shape(distribution, connections, keys)


def against(contest: Contest, other: Path, wanted: Iterable[Shape]) -> Iterator[Compared]:
    """Both versions in turn, shape by shape."""
    versions = (Version("ours", THIS), Version("other", other))
    for version in versions:
        _fill(contest, version)
    for shape in wanted:
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
                contestants.append(Contestant(version.name, server, server.url(), lambda: None, url))
                urls.append(url)
            runs = contest.turns(shape, contestants)
            for version, url in zip(versions, urls, strict=True):
                version.prove(url)
        yield Compared(shape, runs["ours"], runs["other"])


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
