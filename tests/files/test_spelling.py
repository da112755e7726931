"""The same line in any spelling and in any format is one transaction, and one account."""

import asyncio
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koshel import Ledger
from koshel.files.formats import IMPORTED, MONEY
from koshel.files.importing import Result
from koshel.files.keys import Keys
from koshel.files.lines import Line
from koshel.files.reading import lines_of
from tests.support.bringing import balances, bring_in, take_out, written
from tests.support.database import Database

OWN = {"source": "a", "target": "b", "amount": "12.50"}
EXPORTED = OWN | {"id": 7, "kind": "transfer", "currency": "USD", "ctime": "2026-11-27T09:40:53.123456Z"}
ACCOUNT = {"email": "x@example.com", "balance": "10.00", "min_balance": "-5", "max_balance": None}
SPELLINGS: Sequence[tuple[str, Sequence[Any]]] = [
    ("amount", ["12.50", "12.5", "12.5000", "012.5", "0012.50", Decimal("12.50"), Decimal("12.5"), Decimal("1.25E+1")]),
    ("amount", ["10", "10.0", "10.00", "010", 10, Decimal("10.0"), Decimal("1E+1"), "1e1", "100e-1"]),
    ("amount", ["0.5", "0.50", "00.5", Decimal("0.5"), Decimal("5E-1")]),
    ("amount", ["999999999999999999.000000000000000001", Decimal("999999999999999999.000000000000000001")]),
    ("source", ["zz:x", "@zz:x"]),
    ("target", ["zz:x", "@zz:x"]),
    ("source_account_id", ["7", 7]),
    ("effective_on", ["2026-01-31"]),
    ("metadata", [{"a": "1", "b": "2"}, {"b": "2", "a": "1"}]),
    *((column, [None, ""]) for column in ("source", "reference", "currency", "effective_on", "ctime", "id")),
    ("metadata", [None, "", {}]),
]
OF_ACCOUNTS: Sequence[tuple[str, Sequence[Any]]] = [
    ("balance", ["-12.50", "-12.5", "-012.5", Decimal("-12.50"), "-125e-1"]),
    ("balance", ["0", "0.00", "-0", "00", 0, Decimal("0.0"), Decimal("0E+3")]),
    ("min_balance", ["-5", "-5.00", -5]),
    ("max_balance", ["100", "100.00", 100]),
    ("max_balance", ["none", None]),
    ("id", ["7", 7]),
    ("held", ["1.50", "1.5", Decimal("1.5")]),
    ("ctime", ["2026-11-27T09:40:53.000000Z", "2026-11-27T12:40:53+03:00", "2026-11-27 09:40:53+00"]),
    ("limits", ['[{"window_s": 60, "out": "5"}]', [{"out": "5", "window_s": 60}]]),
    ("limits", ["", [], None]),
]


def key(values: Mapping[str, Any]) -> str:
    return Keys().known(values).key


@pytest.mark.parametrize("line", [OWN, EXPORTED], ids=["own", "exported"])
@pytest.mark.parametrize(("column", "spellings"), SPELLINGS)
def test_a_transaction_has_one_key_however_it_is_spelled(
    line: Mapping[str, Any], column: str, spellings: Sequence[Any]
) -> None:
    assert len({key({**line, column: one}) for one in spellings}) == 1


@pytest.mark.parametrize(("column", "spellings"), OF_ACCOUNTS)
def test_an_account_without_a_name_has_one_key_however_it_is_spelled(column: str, spellings: Sequence[Any]) -> None:
    assert len({key({**ACCOUNT, column: one}) for one in spellings}) == 1


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("amount", ["12.5", "12.05", "125", "1.25", "1250", "0.125"]),
        ("amount", ["10", "1", "100", "1000"]),
        ("source", ["zz:x", "zz:y", "0zz:x"]),
        ("reference", ["7", "07", "7.0", "7.00", "@7"]),
        ("currency", ["USD", "EUR"]),
        ("id", ["1e3", "1000", "01000"]),
        ("max_balance", ["none", "", "0", "1"]),
        ("balance", ["5", "-5", "0", ""]),
        ("ctime", ["", "2026-11-27T09:40:53Z", "2026-11-27T09:40:53+01:00", "2026-11-27", "yesterday"]),
        ("limits", ["[", "[" * 100_000, "[1e9999999999999999999]", "[1]"]),
    ],
)
def test_what_says_something_else_has_another_key(column: str, values: Sequence[Any]) -> None:
    assert len({key({**OWN, column: one}) for one in values}) == len(values)


@pytest.mark.parametrize("column", sorted(MONEY))
@pytest.mark.parametrize("said", ["nothing", "1,50", "1" * 19, "NaN", True, ["1"], {"a": "1"}])
def test_money_that_cannot_be_read_keeps_its_spelling(column: str, said: Any) -> None:
    assert key({**OWN, column: said}) == key({**OWN, column: said})
    assert key({**OWN, column: said}) != key({**OWN, column: "1"})


AMOUNTS = st.decimals("0.01", "99999", places=2)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  given here


@st.composite
def spelled_amounts(draw: st.DrawFn, amount: Decimal) -> str:
    """A text that a spreadsheet or a program may have for it."""
    text = f"{amount:f}".rstrip("0").rstrip(".") if draw(st.booleans()) else f"{amount:f}"
    zeros = draw(st.integers(0, 3))
    text += "0" * zeros if "." in text else f".{'0' * zeros}" if zeros else ""
    return "0" * draw(st.integers(0, 2)) + text


@st.composite
def spelled_times(draw: st.DrawFn, time: datetime) -> str:
    there = time.astimezone(timezone(timedelta(minutes=15 * draw(st.integers(-40, 40)))))
    text = there.isoformat(draw(st.sampled_from("T ")))
    return text.replace("+00:00", "Z") if draw(st.booleans()) else text


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    values: dict[str, Any] = {"amount": draw(AMOUNTS), "source": "a", "target": "b"}
    if draw(st.booleans()):
        values["ctime"] = draw(TIMES)
    if draw(st.booleans()):
        values |= {"id": draw(st.integers(1, 3)), "source_account_id": 1, "currency": "USD"}
    for column in ("reference", "description"):
        if draw(st.booleans()):
            values[column] = draw(st.sampled_from(["=1", "'", "@b", "007", "1.50", 'ä, "']))
    if draw(st.booleans()):
        values["metadata"] = {"a": "1.50", "b": "@x"}
    return values


def as_texts(draw: st.DrawFn, values: Mapping[str, Any]) -> dict[str, Any]:
    name = st.sampled_from(["", "@"])
    spell: Mapping[str, Callable[[Any], Any]] = {
        "amount": lambda one: draw(spelled_amounts(one)),
        "ctime": lambda one: draw(spelled_times(one)),
        "source": lambda one: draw(name) + one,
        "target": lambda one: draw(name) + one,
    }
    return {column: spell[column](one) if column in spell else one for column, one in values.items()}


def in_json(draw: st.DrawFn, values: Mapping[str, Any], path: Path) -> None:
    texts = as_texts(draw, values)
    shuffled = {column: texts[column] for column in draw(st.permutations(list(texts)))}
    empty = {column: draw(st.sampled_from([None, ""])) for column in ("reference", "metadata") if column not in values}
    line = json.dumps(shuffled | empty)
    if draw(st.booleans()):
        line = line.replace(f'"{texts["amount"]}"', f"{values['amount']:f}", 1)
    path.write_text(f"{line}\n")


def in_csv(draw: st.DrawFn, values: Mapping[str, Any], path: Path) -> None:
    texts = as_texts(draw, values)
    notes = texts.pop("metadata", {})
    if draw(st.booleans()):
        texts |= {f"metadata.{column}": one for column, one in notes.items()}
    else:
        texts["metadata"] = json.dumps(notes) if notes else ""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])))
        columns = draw(st.permutations([*texts, *({"description"} - texts.keys())]))
        writer.writerow(columns)
        writer.writerow([texts.get(column, "") for column in columns])


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_line_has_one_key_in_any_spelling_and_format(tmp_path: Path, data: st.DataObject) -> None:
    values, keys = data.draw(said()), set[str]()
    for write, suffix in [(in_json, "jsonl"), (in_csv, "csv"), (in_json, "jsonl")]:
        path = tmp_path / f"t.{suffix}"
        data.draw(st.composite(lambda draw, write=write, path=path: write(draw, values, path))())
        (line,) = lines_of(str(path), suffix, IMPORTED["transactions"])
        assert isinstance(line, Line)
        keys.add(key(line.values))
    assert len(keys) == 1


@pytest.mark.parametrize(
    "lines",
    [
        [
            "source,target,amount\na,b,12.50\na,b,10.00\na,b,10\n",
            "source,target,amount\n@a,b,12.5\na,b,10\na,b,010.0\n",
        ],
        ["amount,target\n0.50,@a\n", '{"target":"a","amount":0.5}\n', '{"amount":"0.5","source":null,"target":"a"}\n'],
        [
            "id,source,target,amount,ctime\n7,a,b,12.50,2026-11-27T09:40:53.120000Z\n",
            "id,source,target,amount,ctime\n7,@a,b,12.5,2026-11-27 10:40:53.12+01\n",
            '{"id":7,"source":"@a","target":"b","amount":12.5,"ctime":"2026-11-27T09:40:53.12Z"}\n',
        ],
    ],
)
def test_a_file_that_was_saved_otherwise_moves_no_money_again(
    paid: Database, tmp_path: Path, lines: Sequence[str]
) -> None:
    number, after = count(), None
    for text in lines:
        path = written(tmp_path / f"t{next(number)}.{'jsonl' if text.startswith('{') else 'csv'}", text)
        result = bring_in(paid, "main", "transactions", path)
        many = result.new + result.known
        assert (result.new, result.known) == ((many, 0) if after is None else (0, many))
        after = after or balances(paid, "main")
        assert balances(paid, "main") == after


def test_an_export_in_either_format_is_known_again_after_the_other(paid: Database, tmp_path: Path) -> None:
    """Also if a spreadsheet has saved it."""

    async def live() -> None:
        await Ledger.create(paid.owner_url, "copy")
        async with Ledger.open(paid.service_url) as ledger:
            await ledger.pay("@b", amount="12.50", metadata={"a": "1.50"})
            await ledger.transfer(source="@a", target="@b", amount="10", reference="007")
            await ledger.withdraw("@yen", amount="3", description="=1")

    asyncio.run(live())
    accounts, csv_, json_lines = (tmp_path / name for name in ("a.csv", "t.csv", "t.jsonl"))
    take_out(paid, "main", "accounts", accounts)
    bring_in(paid, "copy", "accounts", accounts, with_balances=False)
    for path in (csv_, json_lines):
        take_out(paid, "main", "transactions", path)
    assert bring_in(paid, "copy", "transactions", csv_) == Result(new=5)
    saved = csv_.read_text().replace(",12.50,", ",12.5,").replace(",10.00,", ",10,").replace("000Z", "Z")
    for path in (json_lines, written(tmp_path / "saved.csv", saved)):
        assert bring_in(paid, "copy", "transactions", path) == Result(known=5)
    assert balances(paid, "copy") == balances(paid, "main")
