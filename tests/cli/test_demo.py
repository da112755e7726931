"""`koshel demo`: a ledger with a month of a marketplace, the same each time, and right."""

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from koshel.db.server.embedded import Cluster
from tests.support.bringing import balances
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.ended import Koshel
from tests.support.settled import query


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> Iterator[Database]:
    """A database for demos."""
    with cloned(cluster, "test_demo") as database:
        yield database


def filled(koshel: Koshel, database: Database, name: str, *options: str) -> str:
    ended = koshel("demo", "--ledger", name, *options, database_url=database.owner_url)
    assert (ended.status, ended.complained) == (0, "")
    return ended.printed


def test_the_same_seed_makes_the_same_books_and_they_are_right(koshel: Koshel, shared: Database) -> None:
    first = filled(koshel, shared, "first", "--month", "2026-02")
    second = filled(koshel, shared, "second", "--month", "2026-02", "--seed", "1")
    other = filled(koshel, shared, "other", "--month", "2026-02", "--seed", "2")
    assert first.startswith("first: 341 accounts, ")
    assert first.endswith(" transactions, February 2026\n")
    assert second == first.replace("first", "second")
    assert balances(shared, "second") == balances(shared, "first")
    assert balances(shared, "other") != balances(shared, "first")
    assert other != first
    assert koshel("verify", database_url=shared.owner_url).status == 0


def test_a_month_has_every_kind_of_transaction_each_on_a_day_of_its_own(koshel: Koshel, shared: Database) -> None:
    filled(koshel, shared, "kinds", "--month", "2026-03")
    ours = "FROM transaction AS t JOIN ledger AS l ON l.id = t.ledger_id WHERE l.name = 'kinds'"
    kinds = dict(query(shared, f"SELECT kind, count(*) {ours} GROUP BY kind"))
    assert kinds.keys() == {"payment", "transfer", "hold", "capture", "void", "refund", "withdrawal"}
    assert min(kinds.values()) >= 50
    assert query(
        shared, f"SELECT count(DISTINCT effective_on), min(effective_on)::text, max(effective_on)::text {ours}"
    ) == [(31, "2026-03-01", "2026-03-31")]
    fees, sold = query(
        shared,
        f"SELECT sum(t.amount) FILTER (WHERE a.name = 'marketplace:fees'), sum(t.amount)"
        f" {ours.replace('WHERE', 'JOIN account AS a ON a.id = t.target_account_id WHERE')}"
        " AND t.kind = ANY('{transfer,capture}')",
    )[0]
    assert Decimal("0.079") < fees / sold < Decimal("0.081")
    assert 5_000 < sum(kinds.values()) < 30_000


def test_it_is_the_last_month_unless_another_is_named(koshel: Koshel, shared: Database) -> None:
    last = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    assert filled(koshel, shared, "last").endswith(f"{last:%B %Y}\n")


def test_a_ledger_that_is_there_is_left_alone(koshel: Koshel, shared: Database) -> None:
    koshel("ledger", "create", "demo", database_url=shared.owner_url)
    ended = koshel("demo", database_url=shared.owner_url)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained == "koshel: there is a ledger 'demo' already; --ledger names another one\n"
    assert balances(shared, "demo") == {}


def test_a_demo_that_is_stopped_says_what_is_there(
    koshel: Koshel, shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    monkeypatch.setattr("koshel.demo.fill", stopped)
    ended = koshel("demo", "--ledger", "stopped", database_url=shared.owner_url)
    assert (ended.status, ended.printed) == (130, "")
    assert ended.complained == "koshel: the ledger stopped is there, and half filled; --ledger names another one\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--month", "2026-13"), "argument --month: '2026-13' is no month such as 2026-06"),
        (("--month", "9999-12"), "argument --month: '9999-12' is after 9999-11"),
        (("--seed", "x"), "argument --seed: invalid int value: 'x'"),
    ],
)
def test_what_cannot_be_read_is_named(koshel: Koshel, options: tuple[str, ...], said: str) -> None:
    ended = koshel("demo", *options)
    assert ended.status == 2
    assert said in ended.complained


def test_a_name_that_no_ledger_can_have_is_named(koshel: Koshel, shared: Database) -> None:
    ended = koshel("demo", "--ledger", "A B", database_url=shared.owner_url)
    assert ended.complained == "koshel: the name of a ledger must be 1 to 64 characters a-z, 0-9, _ and -\n"
