"""What the ledger would refuse of a line for ever is a fault of the line, before anything of the file is imported."""

import asyncio
from pathlib import Path

import pytest

from koshel import Ledger
from koshel.files.importing import Result
from tests.support.bringing import HEADER, bring_in, counts, faults_of, written
from tests.support.database import Database
from tests.support.settled import query


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("x,y@example.com,USD,,-5,10,gold", "email"),
        ("x,x@example.com,JPY,,-5,10,gold", "currency"),
        ("x,x@example.com,USD,,-6,10,gold", "min_balance"),
        ("x,x@example.com,USD,,-5,11,gold", "max_balance"),
        ("x,x@example.com,USD,,-5,none,gold", "max_balance"),
        ("x,x@example.com,USD,,-5,10,silver", "metadata"),
    ],
)
def test_each_term_of_an_account_that_is_there_is_compared(
    database: Database, tmp_path: Path, line: str, field: str
) -> None:
    header = f"{HEADER.strip()},metadata.plan\n"
    path = written(tmp_path / "a.csv", f"{header}x,x@example.com,USD,,-5,10,gold\n")
    assert bring_in(database, "main", "accounts", path) == Result(new=1)
    assert bring_in(database, "main", "accounts", path) == Result(known=1)
    found = faults_of(database, "accounts", written(path, header + line))
    assert found == [f"line 2: name is that of an account with another {field}: x"]


@pytest.mark.parametrize(
    "sides", ["{name},{name},,", ",,{id},{id}", "{name},,,{id}", ",{name},{id},", "@{name},{name},,"]
)
def test_money_from_an_account_to_itself_is_a_fault_however_it_is_named(
    paid: Database, tmp_path: Path, sides: str
) -> None:
    ((id_,),) = query(paid, "SELECT id FROM account WHERE name = 'a'")
    header = "source,target,source_account_id,target_account_id,amount"
    lines = [header, "a,b,,,1", *(sides.format(name="a", id=id_) + ",1" for _ in range(2)), "b,a,,,1"]
    found = faults_of(paid, "transactions", written(tmp_path / "t.csv", "\n".join(lines)))
    assert found == ["line 3: target is the source too", "line 4: target is the source too"]


def test_an_account_that_takes_no_money_is_a_fault_but_not_of_lines_that_were_imported(
    paid: Database, tmp_path: Path
) -> None:
    async def shut() -> None:
        async with Ledger.open(paid.service_url) as ledger:
            await ledger.change_account("@b", status="frozen")
            await ledger.change_account("@yen", status="closed")

    header, done = "source,target,amount,idempotency_key", ["a,b,1,", "yen,,500,k"]
    first = written(tmp_path / "t.csv", "\n".join([header, *done]))
    bring_in(paid, "main", "transactions", first)
    asyncio.run(shut())
    more = ["a,b,2,", "b,a,2,", ",yen,2,", "yen,,2,", ",a,2,"]
    found = faults_of(paid, "transactions", written(tmp_path / "u.csv", "\n".join([header, *done, *more])))
    assert found == [
        "line 4: target is frozen",
        "line 5: source is frozen",
        "line 6: target is closed",
        "line 7: source is closed",
    ]
    assert counts(bring_in(paid, "main", "transactions", first)) == (0, 2)


def test_a_key_that_stands_for_another_request_is_a_fault(paid: Database, tmp_path: Path) -> None:
    header = "source,target,amount,reference,idempotency_key"
    first = written(tmp_path / "t.csv", f"{header}\na,b,1,,k\na,b,1,,l\n")
    bring_in(paid, "main", "transactions", first)
    lines = ["a,b,9999,,new", "a,b,1.00,,k", "a,b,2,,l"]
    found = faults_of(paid, "transactions", written(tmp_path / "u.csv", "\n".join([header, *lines])))
    assert found == ["line 4: idempotency_key is that of another request already, with another amount: l"]
    assert bring_in(paid, "main", "transactions", first) == Result(known=2)


@pytest.mark.parametrize("balance", ["20", "-10", "10.01"])
def test_an_opening_balance_that_was_changed_is_a_fault(database: Database, tmp_path: Path, balance: str) -> None:
    """It was booked when the account was opened: to book another would be a transaction of its own."""
    header = HEADER + "y,y@example.com,USD,5,,\nn,n@example.com,USD,,,\n"
    path = written(tmp_path / "a.csv", f"{header}x,x@example.com,USD,10,-50,\n")
    bring_in(database, "main", "accounts", path)
    found = faults_of(database, "accounts", written(path, f"{header}x,x@example.com,USD,{balance},-50,\n"))
    assert found == ["line 4: balance is not the one that the account was opened with: x"]
    for same in ("10", "10.00", "010.0", ""):
        path = written(path, f"{header}x,x@example.com,USD,{same},-50.00,\n")
        assert bring_in(database, "main", "accounts", path) == Result(known=3)


def test_an_account_that_was_changed_in_two_ways_says_both(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", f"{HEADER}x,x@example.com,USD,10,,\n")
    bring_in(database, "main", "accounts", path)
    assert faults_of(database, "accounts", written(path, f"{HEADER}x,y@example.com,USD,9,,\n")) == [
        "line 2: name is that of an account with another email: x",
        "line 2: balance is not the one that the account was opened with: x",
    ]


def test_the_balance_of_an_account_that_was_frozen_since_is_no_fault(database: Database, tmp_path: Path) -> None:
    async def freeze() -> None:
        async with Ledger.open(database.service_url) as ledger:
            await ledger.withdraw("@x", amount="3")
            await ledger.change_account("@x", status="frozen")

    path = written(tmp_path / "a.csv", f"{HEADER}x,x@example.com,USD,10,,\n")
    bring_in(database, "main", "accounts", path)
    asyncio.run(freeze())
    assert bring_in(database, "main", "accounts", path) == Result(known=1)


def test_more_accounts_with_balances_than_are_checked_at_once(database: Database, tmp_path: Path) -> None:
    lines = [f"n{n},n@example.com,USD,{n + 1},,\n" for n in range(1_100)]
    path = written(tmp_path / "a.csv", HEADER + "".join(lines))
    bring_in(database, "main", "accounts", path)
    lines[1_050] = lines[1_050].replace("1051", "1052")
    found = faults_of(database, "accounts", written(path, HEADER + "".join(lines)))
    assert found == ["line 1052: balance is not the one that the account was opened with: n1050"]
