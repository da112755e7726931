"""What is refused leaves nothing behind; and a file in another order than that of time is said to be so."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from koshel import Ledger
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.files.faults import Stopped
from koshel.files.importing import Result
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.bringing import HEADER, balances, bring_in, counts, take_out, written
from tests.support.database import Database
from tests.support.queued import accounts, decided, enqueued, working
from tests.support.settled import query
from tests.support.wallets import payment, transfer

EXPORT_PAGE = Path(__file__).parents[2] / "docs" / "export.md"

NAMELESS = ",n{0}@example.com,USD,{1},,\n"


def opened(database: Database) -> list[tuple[object, ...]]:
    return query(database, "SELECT email FROM account ORDER BY id")


async def open_it(database: Database) -> None:
    async with Ledger.open(database.service_url) as ledger:
        await ledger.open_account("x@example.com", key="import:x:balance")


def test_a_refused_batch_leaves_no_account_behind_with_or_without_a_name(database: Database, tmp_path: Path) -> None:
    asyncio.run(open_it(database))
    lines = [NAMELESS.format(n, n) for n in range(3)] + ["y,y@example.com,USD,7,,\n"]
    path = written(tmp_path / "a.csv", HEADER + "".join([*lines, "x,x@example.com,USD,9,,\n"]))
    with pytest.raises(Stopped, match=r"line 6: idempotency-key-reused: .*the lines before line 2 were imported"):
        bring_in(database, "main", "accounts", path)
    assert opened(database) == [("x@example.com",)]
    assert query(database, "SELECT count(*) FROM receipt") == [(1,)]
    assert bring_in(database, "main", "accounts", written(path, HEADER + "".join(lines))) == Result(new=4)
    assert counts(bring_in(database, "main", "accounts", path)) == (0, 4)
    assert balances(database, "main")["y"] == ("USD", "7.00")
    assert verify(database.owner_url) == []


def test_a_key_that_has_another_account_stops_its_batch(database: Database, tmp_path: Path) -> None:
    """Of an account without a name: nothing but somebody who has taken its key can refuse it."""
    path = written(tmp_path / "a.csv", HEADER + NAMELESS.format(1, ""))
    bring_in(database, "main", "accounts", path)
    ((key,),) = query(database, "SELECT idempotency_key FROM account")

    async def take_it() -> None:
        await Ledger.create(database.owner_url, "copy")
        async with Ledger.open(database.service_url, ledger="copy") as ledger:
            await ledger.open_account("x@example.com", key=str(key))

    asyncio.run(take_it())
    path = written(path, HEADER + "y,y@example.com,USD,7,,\n" + NAMELESS.format(2, 3) + NAMELESS.format(1, ""))
    with pytest.raises(Stopped, match=r"line 4: idempotency-key-reused: .*the lines before line 2 were imported"):
        bring_in(database, "copy", "accounts", path)
    assert balances(database, "copy").keys() == {"old:2"}
    assert verify(database.owner_url) == []


def test_more_accounts_without_names_than_a_batch_has_come_with_their_balances(
    database: Database, tmp_path: Path
) -> None:
    lines = [NAMELESS.format(n % 2, n % 5) for n in range(1_200)]
    path = written(tmp_path / "a.csv", HEADER + "".join(lines))
    assert bring_in(database, "main", "accounts", path) == Result(new=1_200)
    assert query(database, "SELECT count(*), sum(balance)::text FROM account") == [(1_200, "2400.00")]
    assert counts(bring_in(database, "main", "accounts", path)) == (0, 1_200)
    assert verify(database.owner_url) == []


@pytest.mark.parametrize("line", [NAMELESS.format(1, 3), "y,y@example.com,USD,3,,\n"], ids=["nameless", "named"])
def test_a_partition_that_is_missing_is_made(database: Database, tmp_path: Path, line: str) -> None:
    execute(database.owner_url, "SELECT setval('transaction_id', 7654321)")
    path = written(tmp_path / "a.csv", HEADER + line)
    assert bring_in(database, "main", "accounts", path) == Result(new=1)
    assert counts(bring_in(database, "main", "accounts", path)) == (0, 1)
    assert query(database, "SELECT id > 7654321, amount::text FROM transaction") == [(True, "3.00")]
    assert verify(database.owner_url) == []


TIMES = "source,target,amount,effective_on,ctime\n{0},b,5,2026-11-03,2026-11-02T00:00:00+00:00\n,a,5,2026-11-03,{1}\n"


@pytest.mark.parametrize(
    ("time", "hint"),
    [
        ("2026-11-01T00:00:00+00:00", "; line 3 is older than a line above it: sort them by ctime"),
        ("2026-11-02T01:00:00+02:00", "; line 3 is older than a line above it: sort them by ctime"),
        ("2026-11-02T00:00:00+00:00", ""),
        ("2026-11-02T00:00:00.5+00:00", ""),
        ("2026-11-01", ""),
        ("last year", ""),
        ("", ""),
    ],
)
def test_a_refused_line_of_a_file_that_is_not_in_the_order_of_time_says_so(
    database: Database, tmp_path: Path, time: str, hint: str
) -> None:
    opening = HEADER + "a,a@example.com,USD,,,\nb,b@example.com,USD,,,\n"
    bring_in(database, "main", "accounts", written(tmp_path / "a.csv", opening))
    path = written(tmp_path / "t.csv", TIMES.format("a", time))
    with pytest.raises(Stopped) as raised:
        bring_in(database, "main", "transactions", path)
    assert str(raised.value).startswith("line 2: insufficient-funds: ")
    assert str(raised.value).endswith("put it right, and run it again" + hint)


def test_an_export_with_a_late_execution_is_imported_once_it_is_sorted(database: Database, tmp_path: Path) -> None:
    async def live() -> None:
        await Ledger.create(database.owner_url, "copy")
        async with open_store(StoreConfig(database.service_url)) as store:
            source, target = await accounts(store, "0", "0")
            late = await enqueued(store, transfer(source, target, "3"))
            await settle(store, [payment(source, "5")])
            async with working(store):
                assert await decided(database, late) == ["posted"]

    asyncio.run(live())
    take_out(database, "main", "accounts", tmp_path / "a.jsonl")
    path = tmp_path / "t.jsonl"
    take_out(database, "main", "transactions", path)
    bring_in(database, "copy", "accounts", tmp_path / "a.jsonl", ids_as="old:", with_balances=False)
    with pytest.raises(Stopped, match=r"line 1: insufficient-funds: .*line 2 is older than a line above it"):
        bring_in(database, "copy", "transactions", path, ids_as="old:")
    (command,) = re.findall(r"^awk .*", EXPORT_PAGE.read_text(), re.MULTILINE)
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True)
    assert bring_in(database, "copy", "transactions", tmp_path / "sorted.jsonl", ids_as="old:").new == 2
    assert balances(database, "copy") == balances(database, "main")
