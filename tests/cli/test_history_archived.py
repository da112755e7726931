"""What `koshel statement`, `koshel export statement` and `koshel volume` say of transactions that are archived."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from koshel import Ledger
from koshel.db.server.embedded import Cluster
from tests.support.archived import archive, fill
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.ended import Koshel


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Database]:
    async def pay(url: str, amount: str) -> None:
        async with Ledger.open(url) as ledger:
            if await ledger.account("@ann") is None:
                await ledger.open_account("ann@example.com", name="ann")
            await ledger.pay("@ann", amount=amount)

    with cloned(cluster, "cli_history_archived") as database:
        asyncio.run(pay(database.service_url, "5"))
        fill(database.owner_url)
        asyncio.run(pay(database.service_url, "7"))
        archive(database.owner_url)
        yield database


@pytest.mark.parametrize("command", ["statement @ann", "export statement @ann --output {path}", "volume"])
def test_what_needs_archived_transactions_is_refused_in_a_sentence(
    koshel: Koshel, books: Database, command: str, tmp_path: Path
) -> None:
    path = tmp_path / "ann.jsonl"
    arguments = [one.format(path=path) for one in command.split()]
    ended = koshel(*arguments, database_url=books.service_url)
    assert (ended.status, ended.printed) == (1, "")
    of_account = "" if command == "volume" else " of account 1"
    said = f"koshel: Transactions{of_account} that the answer needs are in an archived partition. From 20"
    assert ended.complained.splitlines()[-1].startswith(said)
    assert ended.complained.endswith("Z on nothing is missing.\n")
    assert not path.exists()


def test_from_the_time_that_it_says_there_is_an_answer(koshel: Koshel, books: Database) -> None:
    for command, shown in ((("statement", "@ann"), "after: balance 12.00"), (("volume",), "Nothing has moved.")):
        said = koshel(*command, database_url=books.service_url).complained
        since = said.split(" From ")[1].split()[0]
        ended = koshel(*command, "--since", since, database_url=books.service_url)
        assert ended.status == 0, ended.complained
        assert shown in ended.printed
