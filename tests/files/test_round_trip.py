"""What was exported is imported into an empty ledger, and the books are equal."""

import asyncio
import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koshel import Ledger, Refused
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute, keep_books
from tests.support.bringing import balances, bring_in, take_out
from tests.support.database import Database
from tests.support.settled import query

FORMATS = ["jsonl", "csv"]
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
STRANGE = st.sampled_from(["=cmd|' /C calc'!A1", "+1", "-1", "@SUM(A1)", "'", "''=", "＝1", 'a "b", c', "ä;\\"])  # noqa: RUF001  the wide sign is a formula in some spreadsheets
NOTES = st.dictionaries(TEXTS, TEXTS | STRANGE, max_size=2)
LABELS = st.fixed_dictionaries(
    {},
    optional={
        "reference": TEXTS | STRANGE,
        "description": TEXTS | STRANGE,
        "effective_on": st.dates().map(str),
        "metadata": NOTES,
    },
)
NAMES = ("ann", "-bob", "users:3", None, None)
Steps: TypeAlias = list[tuple[str, int, int, str, dict[str, Any]]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "withdraw", "transfer", "hold", "refund"]),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, len(NAMES) - 1),
        st.decimals("0.01", "50", places=2),
        LABELS,
    ),
    max_size=25,
)


@pytest.fixture
def books(database: Database) -> Database:
    """A ledger with transactions of every kind, and one that is empty."""

    async def keep() -> None:
        async with open_store(StoreConfig(database.service_url)) as store:
            await keep_books(store)
        await Ledger.create(database.owner_url, "copy")

    asyncio.run(keep())
    return database


def copy(database: Database, ledger: str, into: str, form: str, directory: Path) -> None:
    accounts, transactions = directory / f"accounts.{form}", directory / f"transactions.{form}"
    take_out(database, ledger, "accounts", accounts)
    take_out(database, ledger, "transactions", transactions)
    bring_in(database, into, "accounts", accounts, ids_as="old:", with_balances=False)
    bring_in(database, into, "transactions", transactions, ids_as="old:")


@pytest.mark.parametrize("form", FORMATS)
def test_a_history_of_every_kind_comes_to_the_same_balances(books: Database, form: str, tmp_path: Path) -> None:
    copy(books, "main", "copy", form, tmp_path)
    assert balances(books, "copy") == balances(books, "main")
    assert verify(books.owner_url) == []


@pytest.mark.parametrize("form", FORMATS)
def test_accounts_alone_come_with_their_balances(books: Database, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"accounts.{form}"
    take_out(books, "main", "accounts", path)
    result = bring_in(books, "copy", "accounts", path, ids_as="old:")
    assert (result.new, result.known) == (6, 0)
    assert dict(result.passed_over) == {
        "accounts that were frozen or closed, and are open": 1,
        "accounts with money that was held, and is not": 1,
    }
    assert balances(books, "copy") == balances(books, "main")
    assert verify(books.owner_url) == []


def test_accounts_that_nobody_has_are_copied_too(database: Database, tmp_path: Path) -> None:
    """Those of exchanges, and those whose personal data was erased."""

    async def live() -> None:
        await Ledger.create(database.owner_url, "copy")
        async with Ledger.open(database.service_url) as ledger:
            dollars = await ledger.open_account("a@example.com", currency="USD")
            euros = await ledger.open_account("a@example.com", currency="EUR")
            gone = await ledger.open_account("b@example.com", name="gone")
            await ledger.pay(dollars.id, amount="100")
            await ledger.exchange(source=dollars.id, target=euros.id, source_amount="10", target_amount="9")
            await ledger.change_account(gone.id, status="closed")
            execute(database.owner_url, f"SELECT erase_account(1, {gone.id})")

    asyncio.run(live())
    copy(database, "main", "copy", "csv", tmp_path)
    assert balances(database, "copy") == balances(database, "main")
    assert len(balances(database, "copy")) == 5
    emails = "SELECT email FROM account WHERE ledger_id = (SELECT max(id) FROM ledger) ORDER BY email"
    assert [email for (email,) in query(database, emails)] == [
        *("a@example.com", "a@example.com", "erased@erased.invalid"),
        *("exchange@exchange.invalid", "exchange@exchange.invalid"),
    ]
    assert verify(database.owner_url) == []


def said(database: Database, ledger: str, directory: Path) -> list[dict[str, object]]:
    """What the callers have said of each transaction that moved money."""
    path = directory / f"said-{ledger}.jsonl"
    take_out(database, ledger, "transactions", path)
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    labels = ("reference", "description", "effective_on", "metadata", "amount", "currency")
    return [{name: row.get(name) for name in labels} for row in rows if row["kind"] not in ("hold", "void", "expiry")]


async def live(database: Database, ledger_name: str, steps: Steps) -> None:
    await Ledger.create(database.owner_url, ledger_name)
    async with Ledger.open(database.service_url, ledger=ledger_name) as ledger:
        opened = [
            await ledger.open_account("ann@example.com", name=name, min_balance="-20", max_balance=None)
            for name in NAMES
        ]
        last = 0
        for what, source, target, amount, labels in steps:
            one, other = opened[source].id, opened[target].id
            try:
                match what:
                    case "pay":
                        last = (await ledger.pay(other, amount=amount, **labels)).id
                    case "withdraw":
                        last = (await ledger.withdraw(one, amount=amount, **labels)).id
                    case "refund" if last:
                        await ledger.refund(last)
                    case "hold":
                        held = await ledger.hold(source=one, target=None, amount=amount)
                        await (ledger.capture(held.id, amount="0.01") if target % 2 else ledger.void(held.id))
                    case _ if one != other:
                        last = (await ledger.transfer(source=one, target=other, amount=amount, **labels)).id
            except Refused:
                continue


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_history_is_the_same_after_two_copies(
    database: Database, form: str, tmp_path: Path, data: st.DataObject
) -> None:
    steps = [(what, a, b, str(amount), labels) for what, a, b, amount, labels in data.draw(STEPS)]
    number = len(list(tmp_path.iterdir()))
    directory = tmp_path / f"{number}"
    directory.mkdir()
    first, second = f"first{number}", f"second{number}"
    asyncio.run(live(database, first, steps))
    asyncio.run(Ledger.create(database.owner_url, second))
    copy(database, first, second, form, directory)
    assert balances(database, second) == balances(database, first)
    assert said(database, second, directory) == said(database, first, directory)
    assert verify(database.owner_url) == []
