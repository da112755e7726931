"""Imports: nothing is written of a file that has a fault, and whatever was stopped goes on when it is run again."""

import asyncio
from pathlib import Path

import pytest

from koshel import Ledger
from koshel.asking.requests import Requests
from koshel.asking.terms import terms_of
from koshel.config.settings import Settings
from koshel.core.model import Outcome
from koshel.db.verifying.verify import verify
from koshel.files.faults import FAULTS_MAX, Fault, Stopped
from koshel.files.importing import Result
from koshel.files.lines import Line
from koshel.files.settling import Settling, Stretch
from koshel.files.spool import Spool
from koshel.files.wishes import Reader, Wish
from tests.support.bookkeeping import execute
from tests.support.bringing import HEADER, balances, bring_in, faults_of, written
from tests.support.database import Database
from tests.support.settled import query


def transfers(count: int) -> list[str]:
    return [f"a,b,0.01,order-{n}" for n in range(count)]


def test_a_broken_line_far_down_is_said_before_anything_is_written(paid: Database, tmp_path: Path) -> None:
    lines = transfers(1_500)
    lines[1_400 - 2] = "a,b,1.2.3,order"
    path = written(tmp_path / "t.csv", "\n".join(["source,target,amount,reference", *lines]))
    assert faults_of(paid, "transactions", path) == ["line 1400: amount must be a number such as 12.50"]


def test_the_only_broken_line_of_a_million_is_said_before_anything_is_written(paid: Database, tmp_path: Path) -> None:
    path, before = tmp_path / "t.jsonl", query(paid, "SELECT count(*) FROM transaction")
    with path.open("w") as file:
        for number in range(1, 1_000_001):
            amount = "0.01" if number != 900_001 else "0.001"
            file.write(f'{{"source":"a","target":"b","amount":"{amount}","reference":"order-{number}"}}\n')
    fault = "line 900001: amount has more decimals than USD, which has 2"
    assert faults_of(paid, "transactions", path) == [fault]
    assert query(paid, "SELECT count(*) FROM transaction") == before


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("a,b,0,,", "amount must be more than zero"),
        ("a,b,,,", "amount is missing"),
        ("a,b,0.001,,", "amount has more decimals than USD, which has 2"),
        ("a,b,1,EUR,", "currency is EUR, but the account has USD"),
        ("a,yen,1,,", "target has JPY, but the source has USD"),
        ("a,nobody,1,,", "target is no account of the ledger: @nobody"),
        ("a b,b,1,,", "source must be an id, or @ and the name of an account"),
        (",,1,,", "source is missing, and target too"),
        ("a,b,1,,31.12.2026", "effective_on"),
        ("a,b,1", "has 3 columns, but the header names 5"),
    ],
)
def test_a_line_says_what_is_wrong_with_it(paid: Database, tmp_path: Path, line: str, fault: str) -> None:
    text = f"source,target,amount,currency,effective_on\na,b,1,,\n{line}\n"
    (said,) = faults_of(paid, "transactions", written(tmp_path / "t.csv", text))
    assert said.startswith(f"line 3: {fault}")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x,,USD,,,", "email is missing"),
        ("x,x@example.com,XQX,,,", "currency is not known: XQX"),
        ("x,x@example.com,usd,,,", "currency must be a currency's code: 3 to 12 characters A-Z, 0-9 and _"),
        ("x,x@example.com,USD,1.005,,", "balance has more decimals than USD, which has 2"),
        ("x,x@example.com,USD,-1,,", "balance is less than min_balance, 0"),
        ("x,x@example.com,USD,11,,10", "balance is more than max_balance, 10"),
        ("x,x@example.com,USD,1,5,", "min_balance must not be more than zero"),
        ("y,x@example.com,USD,1,,", "name is that of another line too: y"),
        ("x y,x@example.com,USD,1,,", "name must be 1 to 100 characters"),
    ],
)
def test_an_account_says_what_is_wrong_with_it(database: Database, tmp_path: Path, line: str, fault: str) -> None:
    path = written(tmp_path / "a.csv", f"{HEADER}y,y@example.com,USD,,,\n{line}\n")
    (said,) = faults_of(database, "accounts", path)
    assert said.startswith(f"line 3: {fault}")


def test_all_faults_are_said_up_to_a_hundred(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER + "x,nobody,USD,,,\n" * 5_000)
    found = faults_of(database, "accounts", path)
    assert len(found) == FAULTS_MAX
    assert found[-1] == "line 101: email must be an email address such as ann@example.com"


def test_a_key_that_comes_twice_is_a_fault(paid: Database, tmp_path: Path) -> None:
    text = "source,target,amount,idempotency_key\na,b,1,k\nb,a,1,k\n"
    found = faults_of(paid, "transactions", written(tmp_path / "t.csv", text))
    assert found == ["line 3: idempotency_key is that of another line too: k"]


def test_what_is_imported_again_is_passed_over_wherever_it_stands(paid: Database, tmp_path: Path) -> None:
    lines = [*transfers(10), *transfers(3), ",b,5,top-up"]
    first = written(tmp_path / "t.csv", "\n".join(["source,target,amount,reference", *lines]))
    result = bring_in(paid, "main", "transactions", first)
    assert (result.new, result.known) == (14, 0)
    turned = written(tmp_path / "u.csv", "\r\n".join(["source,target,amount,reference", ",a,2,new", *lines[::-1]]))
    result = bring_in(paid, "main", "transactions", turned)
    assert (result.new, result.known) == (1, 14)
    assert balances(paid, "main") == {"a": ("USD", "1001.87"), "b": ("USD", "5.13"), "yen": ("JPY", "500")}
    assert verify(paid.owner_url) == []


def test_equal_lines_of_two_files_are_one_and_it_is_said_which(paid: Database, tmp_path: Path) -> None:
    header, exported = "id,source,target,amount,idempotency_key,ctime\n", "8,a,b,1,,2026-01-31T00:00:00Z\n"
    june = written(tmp_path / "june.csv", f"{header},a,b,12.50,,\n{exported},a,b,7,k,\n")
    assert bring_in(paid, "main", "transactions", june) == Result(new=3)
    july = written(tmp_path / "july.csv", f"{header}{exported},a,b,7,k,\n,a,b,5,,\n,a,b,12.5,,\n,a,b,12.50,,\n")
    assert bring_in(paid, "main", "transactions", july) == Result(new=2, known=3, equal=1, equal_line=5)
    assert balances(paid, "main")["b"] == ("USD", "38.00")
    assert bring_in(paid, "main", "transactions", july) == Result(known=5, equal=3, equal_line=4)


def test_equal_accounts_of_two_files_are_one_and_it_is_said_which(database: Database, tmp_path: Path) -> None:
    """Beside others with names and with balances: the line is that of the file."""
    lines = [f"n{n},x@example.com,USD,{n or ''},,\n" for n in range(3)]
    first = written(tmp_path / "a.csv", HEADER + ",same@example.com,USD,3,,\n")
    bring_in(database, "main", "accounts", first)
    second = written(
        tmp_path / "b.csv", HEADER + ",new@example.com,USD,,,\n".join(lines) + ",same@example.com,USD,3.0,,\n"
    )
    assert bring_in(database, "main", "accounts", second) == Result(new=5, known=1, equal=1, equal_line=7)
    assert bring_in(database, "main", "accounts", second) == Result(known=6, equal=3, equal_line=3)


def test_accounts_are_opened_once_with_and_without_names(database: Database, tmp_path: Path) -> None:
    text = (
        "x,x@example.com,USD,10,,\n,same@example.com,USD,3,,\n,same@example.com,USD,3,,\ny,y@example.com,USD,-5,-9,\n"
    )
    path = written(tmp_path / "a.csv", HEADER + text)
    assert bring_in(database, "main", "accounts", path) == Result(new=4)
    assert bring_in(database, "main", "accounts", path) == Result(known=4, equal=2, equal_line=3)
    found = query(database, "SELECT name, balance::text FROM account ORDER BY name, id")
    assert found == [("x", "10.00"), ("y", "-5.00"), (None, "3.00"), (None, "3.00")]
    assert verify(database.owner_url) == []


def test_an_account_that_was_opened_otherwise_gets_no_balance(database: Database, tmp_path: Path) -> None:
    async def open_it() -> None:
        async with Ledger.open(database.service_url) as ledger:
            await ledger.open_account("x@example.com", name="x")

    asyncio.run(open_it())
    path = written(tmp_path / "a.csv", f"{HEADER}x,x@example.com,USD,10,,\n")
    assert faults_of(database, "accounts", path) == [
        "line 2: name is that of an account that was opened otherwise: x; leave its balance out"
    ]
    path = written(tmp_path / "a.csv", f"{HEADER}x,x@example.com,USD,,,\n")
    assert bring_in(database, "main", "accounts", path) == Result(known=1)


def test_a_line_that_is_refused_stops_it_and_what_stands_before_is_there(paid: Database, tmp_path: Path) -> None:
    lines = [*transfers(1_200), "a,b,5000,too much", *transfers(1_200)]
    path = written(tmp_path / "t.csv", "\n".join(["source,target,amount,reference", *lines]))
    with pytest.raises(Stopped) as raised:
        bring_in(paid, "main", "transactions", path)
    assert (raised.value.line, raised.value.since) == (1_202, 1_002)
    assert str(raised.value).startswith("line 1202: insufficient-funds: ")
    assert query(paid, "SELECT count(*) FROM transaction WHERE kind = 'transfer'") == [(1_000,)]
    path = written(path, path.read_text().replace("a,b,5000,", "a,b,5,"))
    result = bring_in(paid, "main", "transactions", path)
    assert (result.new, result.known) == (1_401, 1_000)
    assert balances(paid, "main")["b"] == ("USD", "29.00")
    assert verify(paid.owner_url) == []


def test_an_import_that_was_broken_off_goes_on(paid: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "t.csv", "\n".join(["source,target,amount,reference", *transfers(2_500)]))
    settle, calls = Settling.settle_together, 0

    async def break_off(self: Settling, stretch: Stretch) -> list[Outcome]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return await settle(self, stretch)

    monkeypatch.setattr(Settling, "settle_together", break_off)
    with pytest.raises(KeyboardInterrupt):
        bring_in(paid, "main", "transactions", path)
    monkeypatch.setattr(Settling, "settle_together", settle)
    result = bring_in(paid, "main", "transactions", path)
    assert (result.new, result.known) == (1_500, 1_000)
    assert balances(paid, "main")["b"] == ("USD", "25.00")
    assert verify(paid.owner_url) == []


def test_an_account_that_is_there_with_other_terms_is_refused(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER + "x,x@example.com,USD,,,\n")
    bring_in(database, "main", "accounts", path)
    lines = ["x,x@example.com,EUR,,,", "y,y@example.com,USD,,,"]
    found = faults_of(database, "accounts", written(path, HEADER + "\n".join(lines)))
    assert found == ["line 2: name is that of an account with another currency: x"]


def test_a_registered_currency_is_known(database: Database, tmp_path: Path) -> None:
    execute(database.owner_url, "INSERT INTO currency (code, scale) VALUES ('BTC', 8)")
    path = written(tmp_path / "a.csv", f"{HEADER}x,x@example.com,BTC,0.12345678,,\n")
    assert bring_in(database, "main", "accounts", path).new == 1
    assert balances(database, "main") == {"x": ("BTC", "0.12345678")}


def test_a_fault_says_where_it_is() -> None:
    assert str(Fault(7, "amount", "is missing")) == "line 7: amount is missing"
    assert str(Fault(7, None, "is no JSON")) == "line 7: is no JSON"


def test_what_is_kept_until_it_is_settled_is_what_was_asked_for(tmp_path: Path) -> None:
    requests = Requests(1, terms_of(Settings()))
    reader = Reader(requests, ids_as="old:")
    said = {"amount": "1.50", "metadata": {"a": "b"}, "reference": "=1", "effective_on": "2026-01-31"}
    asked: list[Wish | None] = [
        reader.account(Line(2, {"email": "a@example.com", "balance": "5.00", "max_balance": None}, 0)),
        reader.account(Line(3, {"id": "7", "email": "a@example.com", "metadata": {"a": "b"}, "min_balance": "-1"}, 0)),
        reader.transaction(Line(4, said | {"source_account_id": 7, "target": "@b", "idempotency_key": "k"}, 0)),
        reader.transaction(Line(5, {"amount": 3, "target": "b"}, 0)),
    ]
    wishes = [one for one in asked if one is not None]
    with (tmp_path / "spool").open("w+b") as file:
        spool = Spool(file)
        spool.put(wishes[:3])
        spool.put(wishes[3:])
        assert list(spool.stretches(lambda: 1)) == [[wishes[:3]], [wishes[3:]]]
        assert list(spool.stretches(lambda: 2)) == [[wishes[:3], wishes[3:]]]


def test_long_lines_are_not_settled_together(tmp_path: Path) -> None:
    reader = Reader(Requests(1, terms_of(Settings())))
    notes = {f"note {n}": "x" * 500 for n in range(50)}
    lines = [reader.transaction(Line(n, {"amount": 3, "target": "b", "metadata": notes}, 0)) for n in range(100)]
    wishes = [one for one in lines if one is not None]
    with (tmp_path / "spool").open("w+b") as file:
        spool = Spool(file)
        for _ in range(7):
            spool.put(wishes)  # 2.6 MB
        assert [len(stretch) for stretch in spool.stretches(lambda: 16)] == [3, 3, 1]
