"""An import beside the service: its locks are a batch's, it waits for no others', and its ids follow the versions."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from koshel import Ledger
from koshel.config.settings import Settings
from koshel.core.commands import Command
from koshel.core.model import Outcome
from koshel.core.reach import Reach
from koshel.db.server.embedded import Cluster
from koshel.db.settling.parts import Parts, Prepared
from koshel.db.verifying.verify import verify
from koshel.files import together
from koshel.files.importing import Result
from koshel.files.settling import Settling
from koshel.files.together import Together
from koshel.telemetry import metrics
from tests.support.bringing import HEADER, bring_in, bring_in_now, counts, written
from tests.support.database import Database
from tests.support.relay import Cut, relaying
from tests.support.settled import query
from tests.support.waiting import until

COUNT = 1_500  # lines: two batches
LINES_OF_A = """
SELECT side.version, t.id, t.ctime
FROM transaction AS t, account AS a,
    LATERAL (VALUES (source_account_id, source_version), (target_account_id, target_version)) AS side (id, version)
WHERE a.name = 'a' AND side.id = a.id ORDER BY side.version
"""
LAST_ID = "SELECT pg_sequence_last_value('transaction_id'::regclass)"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were known already that eight batches take no time."""
    monkeypatch.setattr(together, "BATCHES_FIRST", 8)


@pytest.fixture
def books(database: Database, tmp_path: Path) -> Database:
    """A database whose main ledger has the accounts a, b and c with 1000.00 USD each."""
    text = "".join(f"{name},{name}@example.com,USD,1000,,none\n" for name in "abc")
    bring_in(database, "main", "accounts", written(tmp_path / "accounts.csv", HEADER + text))
    return database


def file_of(path: Path, count: int = COUNT) -> Path:
    """So many transfers from `a` to `b` and back."""
    lines = [dict(zip(("source", "target"), "ab" if n % 2 else "ba", strict=True)) for n in range(count)]
    texts = (json.dumps(line | {"amount": "0.01", "reference": f"o{n}"}) for n, line in enumerate(lines))
    return written(path, "".join(f"{text}\n" for text in texts))


def lock_timeouts() -> float:
    """How many this process has counted."""
    counter = metrics.LOCK_TIMEOUTS
    return counter.read(counter._cells)[()][0]


def before_finish(monkeypatch: pytest.MonkeyPatch, look: Callable[[Parts], Coroutine[Any, Any, None]]) -> None:
    """Do this while all rows of a stretch are written, and its locks are there."""
    finish = Parts.finish

    async def looking(self: Parts) -> None:
        await look(self)
        await finish(self)

    monkeypatch.setattr(Parts, "finish", looking)


def test_its_locks_are_known_as_those_of_a_batch(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    async def look(parts: Parts) -> None:
        settings = {"application_name": "koshel settle", "search_path": "koshel"}
        connection = await asyncpg.connect(books.service_url, server_settings=settings)
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM account")]
        ledgers = [row["id"] for row in await connection.fetch("SELECT id FROM ledger")]
        held = await connection.fetch(parts._queries.find_held, ledgers, ids)
        locked = await connection.fetch("SELECT id FROM account FOR NO KEY UPDATE SKIP LOCKED")
        seen.append((len(held), len(ids) - len(locked)))
        await connection.close()

    before_finish(monkeypatch, look)
    assert bring_in(books, "main", "transactions", file_of(tmp_path / "t.jsonl")) == Result(new=COUNT)
    assert seen == [(0, 2)]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("is_known", [False, True])
def test_somebody_who_waits_for_its_accounts_is_seen(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, waits: bool, is_known: bool
) -> None:
    """Also where all lines were imported before, and nothing is written."""
    path = file_of(tmp_path / "t.jsonl")
    if is_known:
        bring_in(books, "main", "transactions", path)
    seen: list[bool] = []
    settled = Together.settled

    def wait_for_an_account() -> None:
        with psycopg.connect(books.owner_url) as connection:
            connection.execute("SELECT FROM koshel.account FOR NO KEY UPDATE")

    waiter = threading.Thread(target=wait_for_an_account)

    async def look(_: Parts) -> None:
        if waits:
            waiter.start()
            await until(lambda: bool(query(books, "SELECT FROM pg_locks WHERE NOT granted")), "somebody waits")

    def see(self: Together, batches: int, seconds: float, *, is_waited_for: bool) -> None:
        seen.append(is_waited_for)
        settled(self, batches, seconds, is_waited_for=is_waited_for)

    before_finish(monkeypatch, look)
    monkeypatch.setattr(Together, "settled", see)
    bring_in(books, "main", "transactions", path)
    if waits:
        waiter.join(10)
    assert seen == [waits]


@pytest.mark.parametrize(("cut", "parts"), [(Cut.REPLY_LOST, [1_500]), (Cut.COMMIT_LOST, [1_000, 500])])
async def test_of_a_lost_commit_the_fence_says_whether_it_happened(
    cluster: Cluster, books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: Cut, parts: list[int]
) -> None:
    async with relaying(cluster) as relay:

        async def lose(_: Parts) -> None:
            relay.cut_next_commit(cut)

        before_finish(monkeypatch, lose)
        behind = Database(books.owner_url, relay.url(books.service_url))
        result = await bring_in_now(behind, "main", "transactions", file_of(tmp_path / "t.jsonl"))
        assert (result, relay.cuts) == (Result(new=COUNT), 1)
    sizes = "SELECT count(*) FROM transaction WHERE reference IS NOT NULL GROUP BY ctime ORDER BY ctime"
    assert [count for (count,) in query(books, sizes)] == parts
    assert await asyncio.to_thread(verify, books.owner_url) == []


def test_an_import_that_is_repeated_takes_no_id(books: Database, tmp_path: Path) -> None:
    path, before = file_of(tmp_path / "t.jsonl"), query(books, LAST_ID)[0][0]
    assert bring_in(books, "main", "transactions", path) == Result(new=COUNT)
    assert query(books, LAST_ID) == [(before + COUNT,)]
    assert counts(bring_in(books, "main", "transactions", path)) == (0, COUNT)
    assert query(books, LAST_ID) == [(before + COUNT,)]
    longer = file_of(tmp_path / "longer.jsonl", COUNT + 3)
    assert counts(bring_in(books, "main", "transactions", longer)) == (3, COUNT)
    assert query(books, LAST_ID) == [(before + COUNT + 3,)]


def test_ids_follow_versions_and_times_whatever_comes_between(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Parts._prepare

    async def prepare_and_be_overtaken(self: Parts, commands: Sequence[Command]) -> Reach:
        reached = await prepare(self, commands)
        async with Ledger.open(books.service_url, ledger="main") as ledger:
            await ledger.transfer(source="@a", target="@c", amount=1)
        return reached

    monkeypatch.setattr(Parts, "_prepare", prepare_and_be_overtaken)
    assert bring_in(books, "main", "transactions", file_of(tmp_path / "t.jsonl")) == Result(new=COUNT)
    lines = query(books, LINES_OF_A)
    assert len(lines) == COUNT + 2
    assert all(id_ < next_id and at <= next_at for (_, id_, at), (_, next_id, next_at) in pairwise(lines))
    assert verify(books.owner_url) == []


async def test_it_waits_only_a_short_time_for_a_stranger_while_it_has_locks(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, took = Settling._settle_parts, list[float]()

    async def settle_parts(self: Settling, work: Prepared) -> list[Outcome]:
        begun = time.monotonic()
        try:
            return await settle(self, work)
        finally:
            took.append(time.monotonic() - begun)
            assert len(await stranger.fetch("SELECT id FROM account FOR UPDATE SKIP LOCKED")) == 3
            await transaction.rollback()

    monkeypatch.setattr(Settling, "_settle_parts", settle_parts)
    timeouts = lock_timeouts()
    stranger = await asyncpg.connect(books.owner_url, server_settings={"search_path": "koshel"})
    transaction = stranger.transaction()
    await transaction.start()
    await stranger.execute("SELECT id FROM account WHERE name = 'b' FOR UPDATE")
    result = await bring_in_now(books, "main", "transactions", file_of(tmp_path / "t.jsonl", 10_500))
    await stranger.close()
    assert result == Result(new=10_500)
    assert len(took) == 1  # the stretch of the last three batches is not tried: these go one by one too
    assert took[0] < Settings().lock_timeout_ms / 1_000 / 2
    assert lock_timeouts() == timeouts + 1
