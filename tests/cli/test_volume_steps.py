"""`koshel volume` of more than one answer may have: in steps, and what they find together is what there is."""

import asyncio
import json
from collections.abc import Iterator

import psycopg
import pytest

from koshel import Ledger
from koshel.db.reading import volume
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.ended import Koshel

DAYS = [0, 0, 1, 2, 40, 400, 400, 401, 1_000]  # after the first of January 2020; two in some of them
TIMES = [(), ("--since", "2015-01-01"), ("--until", "2021-02-05"), ("--since", "2020-01-01", "--until", "2030-01-01")]


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Database]:
    """A few transactions in a few years: payments, and as many transfers an hour later."""

    async def keep(database: Database) -> None:
        async with Ledger.open(database.service_url) as ledger:
            ann = (await ledger.open_account("ann@example.com", name="users:ann")).id
            bob = (await ledger.open_account("bob@example.com", name="users:bob")).id
            for _ in DAYS:
                await ledger.pay(ann, amount="10")
                await ledger.transfer(source=ann, target=bob, amount="3")

    with cloned(cluster, "volume_steps_tests") as database:
        asyncio.run(keep(database))
        with psycopg.connect(database.owner_url) as connection:
            connection.execute("UPDATE koshel.account SET ctime = '2019-12-31'")
            for place, day in enumerate(DAYS):
                for kind, hours in (("payment", 0), ("transfer", 1)):
                    connection.execute(
                        "UPDATE koshel.transaction SET ctime = '2020-01-01Z'::timestamptz + make_interval(days => %s,"
                        " hours => %s, mins => %s) WHERE id = (SELECT id FROM koshel.transaction WHERE kind = %s"
                        " ORDER BY id OFFSET %s LIMIT 1)",
                        (day, hours, place, kind, place),
                    )
        yield database


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("group_by", ["currency,kind,day", "name_prefix:2,kind", "day"])
@pytest.mark.parametrize(
    ("limit", "most"), [("TRANSACTIONS_MAX", 1), ("TRANSACTIONS_MAX", 5), ("VOLUMES_MAX", 3), ("VOLUMES_MAX", 4)]
)
def test_what_is_too_much_at_once_is_read_in_steps(
    koshel: Koshel,
    books: Database,
    monkeypatch: pytest.MonkeyPatch,
    times: tuple[str, ...],
    group_by: str,
    limit: str,
    most: int,
) -> None:
    options = ("volume", "--group-by", group_by, "--json", *times)
    whole = koshel(*options, database_url=books.owner_url).printed
    assert len(json.loads(whole)["volumes"]) > 1
    monkeypatch.setattr(volume, limit, most)
    assert koshel(*options, database_url=books.owner_url).printed == whole


def test_both_limits_may_be_passed_at_once(koshel: Koshel, books: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = koshel("volume", "--csv", database_url=books.owner_url).printed
    assert len(whole.splitlines()) == 1 + 2 * len(set(DAYS))
    monkeypatch.setattr(volume, "TRANSACTIONS_MAX", 4)
    monkeypatch.setattr(volume, "VOLUMES_MAX", 2)
    assert koshel("volume", "--csv", database_url=books.owner_url).printed == whole


def test_too_many_sums_of_one_moment_are_refused_with_what_helps(
    koshel: Koshel, books: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume, "VOLUMES_MAX", 0)
    ended = koshel("volume", database_url=books.owner_url)
    assert ended.status == 1
    assert "of one moment; --group-by less, or ask for another time" in ended.complained
