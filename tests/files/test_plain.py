"""Plain lines that are read and checked together ask for what they do one by one; and no fault is passed over."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koshel.asking.requests import Requests
from koshel.asking.terms import terms_of
from koshel.config.settings import Settings
from koshel.db.import_lookups import Account
from koshel.files.accounts import Accounts
from koshel.files.checks import Checks
from koshel.files.faults import Fault
from koshel.files.importing import Result
from koshel.files.lines import Line, Read
from koshel.files.plain import Plain
from koshel.files.wishes import Reader, TransactionWish
from koshel.inputs.values import Invalid
from tests.support.bringing import balances, bring_in, faults_of, written
from tests.support.database import Database

BOOK = {
    "a": Account(1, "a", "USD", is_open=True),
    "b": Account(2, "b", "USD", is_open=True),
    "yen": Account(3, "yen", "JPY", is_open=True),
    "shut": Account(4, "shut", "USD", is_open=False),
}
PLAIN = {"source": "a", "target": "b", "amount": "1.50", "reference": "order 1", "description": "é", "currency": "USD"}
ODD: Sequence[Mapping[str, Any]] = [
    {"source": "@a"},
    {"source": "nobody"},
    {"source": "b"},
    {"source": "a b"},
    {"source": ["a"]},
    {"source": None},
    {"target": "yen"},
    {"target": "shut"},
    {"target": ""},
    {"amount": "0"},
    {"amount": "0.00"},
    {"amount": "-1"},
    {"amount": "+1"},
    {"amount": "1.505"},
    {"amount": "1_0"},
    {"amount": " 1"},
    {"amount": "1\n"},
    {"amount": "1e3"},
    {"amount": "NaN"},
    {"amount": "\u0661"},
    {"amount": "1" * 19},
    {"amount": 1},
    {"reference": "x" * 256},
    {"reference": "a\nb"},
    {"reference": "a\x00b"},
    {"reference": 7},
    {"reference": ""},
    {"description": "\x9f"},
    {"currency": "EUR"},
    {"currency": "usd"},
    {"metadata": {"a": "b"}},
    {"effective_on": "2026-01-31"},
    {"idempotency_key": "k"},
    {"kind": "transfer"},
    {"kind": "refund"},
    {"ctime": "2026-01-31T00:00:00Z"},
    {"id": "7", "ctime": "2026-01-31T00:00:00Z"},
    {"id": ""},
    {"source_account_id": "1"},
]
ALSO_PLAIN: Sequence[Mapping[str, str]] = [
    {},
    {"amount": "1"},
    {"amount": "1.5"},
    {"amount": "1.5000"},
    {"amount": "001.50"},
    {"amount": "0.10"},
    {"amount": "00.1"},
    {"amount": "9" * 18},
    {"source": "b", "target": "a"},
    {"reference": "x" * 255},
    {"reference": "'=1"},
]


class Looks:
    """In the place of the reads of a store: looks up what is in BOOK."""

    async def look_up(self, _: int, look: Callable[..., Any]) -> Any:
        assert isinstance(look, partial)
        asked = look.keywords
        if "codes" in asked:
            return {"USD": 2, "JPY": 0}
        if "keys" in asked:
            return set()
        return [one for one in BOOK.values() if one.id in asked["ids"] or one.name in asked["names"]]


class Lanes:
    """Two imports of the same lines: one that reads them together, and one that does it one by one."""

    def __init__(self) -> None:
        requests, reads = Requests(1, terms_of(Settings())), Looks()
        accounts = Accounts(reads, 1)  # type: ignore[arg-type]
        self.checks = Checks(reads, requests, accounts)  # type: ignore[arg-type]
        self.reader = Reader(requests)
        self.plain = Plain(1, Accounts(reads, 1), Reader(requests).keys)  # type: ignore[arg-type]

    def together(self, lines: Sequence[Read]) -> Sequence[TransactionWish] | None:
        return asyncio.run(self.plain.transactions(lines))

    def one_by_one(self, lines: Sequence[Line]) -> Sequence[Any] | None:
        """None if one of them has a fault, or is passed over."""
        try:
            wishes = [self.reader.transaction(line) for line in lines]
        except Invalid:
            return None
        asked = [one for one in wishes if one is not None]

        async def nothing(*_: object) -> list[Fault]:
            return []

        with patch.object(Checks, "_refused", nothing):  # what only a ledger can tell
            faults = asyncio.run(self.checks.faults(asked))
        return None if faults else self.checks.with_ids(asked)


def lines_of(said: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [Line(number, {**PLAIN, **one}, 0) for number, one in enumerate(said, 1)]


@given(st.lists(st.sampled_from(ALSO_PLAIN), min_size=1, max_size=5))
def test_plain_lines_ask_for_what_they_ask_for_one_by_one(said: Sequence[Mapping[str, str]]) -> None:
    lanes, lines = Lanes(), lines_of(said)
    together = lanes.together(lines)
    assert together is not None
    assert together == lanes.one_by_one(lines)
    assert lanes.together(lines) == lanes.one_by_one(lines)  # equal lines further down


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_line_that_is_not_plain_is_read_one_by_one_with_those_beside_it(odd: Mapping[str, Any]) -> None:
    assert Lanes().together(lines_of([{}, odd, {}])) is None


def test_a_line_that_leaves_out_what_is_asked_for_is_not_plain() -> None:
    for name in ("source", "target", "amount"):
        lines = lines_of([{}])
        del lines[0].values[name]
        assert Lanes().together(lines) is None


def test_a_line_that_cannot_be_read_is_not_plain() -> None:
    assert Lanes().together([*lines_of([{}]), Fault(2, None, "is no JSON")]) is None


def test_lines_get_the_same_keys_whichever_way_those_before_them_were_read(
    paid: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "source,target,amount,reference,kind\n" + 1_500 * "a,b,0.10,same,\n"
    odd = written(tmp_path / "odd.csv", text + "a,b,0.10,same,transfer\n" + 700 * "a,b,0.10,same,\n")
    assert bring_in(paid, "main", "transactions", odd) == Result(new=2_201)

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(Plain, "transactions", nothing)
    assert bring_in(paid, "main", "transactions", odd) == Result(known=2_201, equal=2_201, equal_line=2)
    assert balances(paid, "main")["b"] == ("USD", "220.10")


def test_a_fault_after_plain_lines_is_said_with_its_line(paid: Database, tmp_path: Path) -> None:
    lines = 3_000 * '{"source":"a","target":"b","amount":"0.10"}\n'
    path = written(tmp_path / "t.jsonl", lines + '{"source":"a","target":"yen","amount":"0.10"}\n')
    assert faults_of(paid, "transactions", path) == ["line 3001: target has JPY, but the source has USD"]
