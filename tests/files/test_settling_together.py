"""Several batches in one database transaction leave what they would leave one by one, or nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from koshel import Ledger
from koshel.core.model import First, Grouped
from koshel.db.server.embedded import Cluster
from koshel.db.settling.parts import Parts
from koshel.db.verifying.verify import verify
from koshel.files import together
from koshel.files.importing import Result
from koshel.files.together import Together
from tests.support.bookkeeping import execute
from tests.support.bringing import HEADER, bring_in, counts, written
from tests.support.confined import confined
from tests.support.database import Database
from tests.support.settled import query

COUNT = 2_100  # lines: three batches

BOOKS = """
SELECT t.kind, s.name, t.source_balance::text, t.source_held::text, t.source_version, d.name, t.target_balance::text,
    t.target_held::text, t.target_version, t.amount::text, t.idempotency_key, t.reference, t.metadata::text,
    t.description, t.effective_on, t.parent_id, t.expires_at, t.capture_at,
    dense_rank() OVER (ORDER BY t.group_id), r.answer, r.request->>'source', r.request->>'target'
FROM transaction AS t
INNER JOIN ledger AS l ON l.id = t.ledger_id
INNER JOIN receipt AS r ON r.ledger_id = t.ledger_id AND r.transaction_id = t.id
LEFT JOIN account AS s ON s.ledger_id = t.ledger_id AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = t.ledger_id AND d.id = t.target_account_id
WHERE t.reference IS NOT NULL AND l.name = '{0}' ORDER BY t.id
"""
LEFT = """
SELECT a.name, a.balance::text, a.held::text, a.version, a.revision, u.limits_version,
    jsonb_path_query_array(u.windows, '$[*].sums')
FROM account AS a INNER JOIN ledger AS l ON l.id = a.ledger_id
LEFT JOIN turnover AS u ON u.ledger_id = a.ledger_id AND u.account_id = a.id
WHERE l.name = '{0}' ORDER BY a.name
"""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were known already that eight batches take no time."""
    monkeypatch.setattr(together, "BATCHES_FIRST", 8)


@pytest.fixture
def paid(database: Database, tmp_path: Path) -> Database:
    """A database with the ledgers `main` and `copy`: `a` and `b` have 1000.00 USD each, and `c` has a limit by time."""
    text = "a,a@example.com,USD,1000,,none\nb,b@example.com,USD,1000,-5,none\n"
    path = written(tmp_path / "paid.csv", HEADER + text)

    async def open_limited(ledger_name: str) -> None:
        async with Ledger.open(database.service_url, ledger=ledger_name) as ledger:
            await ledger.open_account(
                "c@example.com", name="c", min_balance=-1_000, limits=[{"per": "1d", "out": "1000000"}]
            )

    asyncio.run(Ledger.create(database.owner_url, "copy"))
    for ledger in ("main", "copy"):
        bring_in(database, ledger, "accounts", path)
        asyncio.run(open_limited(ledger))
    return database


def file_of(path: Path, count: int = COUNT) -> Path:
    """So many lines, some with what COPY would take for something else."""
    odd = {"description": 'C:\\new\\t "x" \\N ü', "metadata": {"k\\": "\t\n'\"\\N"}, "effective_on": "2026-01-31"}
    lines = []
    for n in range(count):
        source, target = [("a", "b"), ("b", "c"), ("c", "a"), (None, "b"), ("a", None)][n % 5]
        line = {"source": source, "target": target, "amount": f"0.{n % 89 + 10}", "reference": f"order-{n}"}
        lines.append(line | (odd | {"idempotency_key": f"\\N\\{n}"} if n % 7 == 0 else {}))
    return written(path, "".join(f"{json.dumps(line)}\n" for line in lines))


def test_the_books_are_those_of_the_same_batches_one_by_one(
    paid: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, before = file_of(tmp_path / "t.jsonl"), query(paid, "SELECT count(*) FROM batch")[0][0]
    assert bring_in(paid, "main", "transactions", path) == Result(new=COUNT)
    assert query(paid, "SELECT count(*) FROM batch") == [(before + 1,)]
    assert query(paid, "SELECT count(DISTINCT ctime) FROM transaction WHERE reference IS NOT NULL") == [(1,)]
    monkeypatch.setattr(Together, "is_apart", True)
    assert bring_in(paid, "copy", "transactions", path) == Result(new=COUNT)
    books = query(paid, BOOKS.format("main"))
    assert len(books) == COUNT
    assert books == query(paid, BOOKS.format("copy"))
    assert query(paid, LEFT.format("main")) == query(paid, LEFT.format("copy"))
    assert verify(paid.owner_url) == []


def test_what_is_there_already_is_passed_over_among_what_is_new(paid: Database, tmp_path: Path) -> None:
    bring_in(paid, "main", "transactions", file_of(tmp_path / "t.jsonl", 1_300))
    assert counts(bring_in(paid, "main", "transactions", file_of(tmp_path / "t.jsonl"))) == (COUNT - 1_300, 1_300)
    assert counts(bring_in(paid, "main", "transactions", file_of(tmp_path / "t.jsonl"))) == (0, COUNT)
    assert len(query(paid, BOOKS.format("main"))) == COUNT
    assert verify(paid.owner_url) == []


def test_keys_are_looked_up_until_a_stretch_is_new_and_again_once_one_is_not(
    paid: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = file_of(tmp_path / "t.jsonl", 7_100).read_text().splitlines(keepends=True)
    part = written(tmp_path / "part.jsonl", "".join(lines[4_500:5_000]))
    assert bring_in(paid, "main", "transactions", part) == Result(new=500)
    find, looked = Parts._find_receipts, list[bool]()

    async def noted(self: Parts, keys: Sequence[str]) -> dict[tuple[int, str], First]:
        looked.append(bool(keys))
        return await find(self, keys)

    monkeypatch.setattr(Parts, "_find_receipts", noted)
    monkeypatch.setattr(together, "BATCHES_MAX", 1)
    whole = written(tmp_path / "t.jsonl", "".join(lines))
    assert counts(bring_in(paid, "main", "transactions", whole)) == (6_600, 500)
    # The second and the sixth are prepared while the one before them is settled. The fifth, which has those that were
    # there, was taken for new, and settled again.
    assert (looked[0], looked[2:5], looked[6:]) == (True, [False] * 3, [True] * 2)
    looked.clear()
    assert counts(bring_in(paid, "main", "transactions", whole)) == (0, 7_100)
    assert looked == [True] * 8
    assert len(query(paid, BOOKS.format("main"))) == 7_100
    assert verify(paid.owner_url) == []


def test_a_partition_that_is_missing_is_made(paid: Database, tmp_path: Path) -> None:
    execute(paid.owner_url, "SELECT setval('transaction_id', 7654321)")
    assert bring_in(paid, "main", "transactions", file_of(tmp_path / "t.jsonl")) == Result(new=COUNT)
    assert verify(paid.owner_url) == []


def test_where_postgresql_confines_the_service_each_batch_is_settled_by_itself(
    cluster: Cluster, tmp_path: Path
) -> None:
    with confined(cluster, "test_files_confined") as database:
        text = "a,a@example.com,USD,1000,,none\nb,b@example.com,USD,1000,,none\nc,c@example.com,USD,1000,,none\n"
        bring_in(database, "main", "accounts", written(tmp_path / "a.csv", HEADER + text))
        path = file_of(tmp_path / "t.jsonl", 1_200)
        assert bring_in(database, "main", "transactions", path) == Result(new=1_200)
        assert counts(bring_in(database, "main", "transactions", path)) == (0, 1_200)
        assert verify(database.owner_url) == []


def test_what_is_broken_off_in_the_middle_leaves_nothing_and_goes_on(
    paid: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write, calls = file_of(tmp_path / "t.jsonl"), Parts.write_part, 0
    before = query(paid, "SELECT * FROM account ORDER BY id")

    def breaking(error: type[BaseException]) -> Callable[[Parts, Grouped], Awaitable[None]]:
        async def write_part(self: Parts, grouped: Grouped) -> None:
            nonlocal calls
            calls += 1
            await write(self, grouped)
            if calls == 2:  # the first part is written, the second is being written
                raise error

        return write_part

    for error in (KeyboardInterrupt, ZeroDivisionError):
        calls = 0
        monkeypatch.setattr(Parts, "write_part", breaking(error))
        with pytest.raises(error):
            bring_in(paid, "main", "transactions", path)
        assert query(paid, BOOKS.format("main")) == []
        assert query(paid, "SELECT * FROM account ORDER BY id") == before
    monkeypatch.setattr(Parts, "write_part", write)
    assert bring_in(paid, "main", "transactions", path) == Result(new=COUNT)
    assert verify(paid.owner_url) == []
