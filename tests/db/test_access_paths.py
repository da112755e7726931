"""Which indexes find what a filter wants, and that the table of fields, the schema and the documentation agree."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from koshel.db.reading.access_paths import PATHS_MAX, AccessPath, plan
from koshel.db.reading.filter_fields import ACCOUNT_FIELDS, LINE_FIELDS, TRANSACTION_FIELDS
from koshel.db.reading.filters import Access, Fields
from koshel.db.reading.wanted import NotIndexed, TooWide
from koshel.inputs import filters

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "filters.md").read_text()
SCHEMA = (ROOT / "src" / "koshel" / "db" / "schema.sql").read_text()
TABLES: Mapping[str, Fields[Any]] = {"Transactions": TRANSACTION_FIELDS, "Accounts": ACCOUNT_FIELDS}


async def paths(text: str, given: AccessPath | None = None, fields: Fields[Any] = TRANSACTION_FIELDS) -> Sequence[str]:
    found = plan(await filters.expression(text, fields), fields, given or AccessPath())
    return [_said(path) for path in found]


def _said(path: AccessPath) -> str:
    """A path in short."""
    choices = {name: "|".join(sorted(values)) for name, values in path.choices.items()}
    bounds = {name: "..".join("" if one is None else str(one) for one in two) for name, two in path.ranges.items()}
    return " ".join(f"{name}={value}" for name, value in {**path.probes, **choices, **bounds}.items())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("reference = a", ["reference=a"]),
        ("reference in (a, b)", ["reference=a", "reference=b"]),
        ("amount > 3 and reference = a and kind = void", ["reference=a kind=void"]),
        ("kind in (void, hold) and kind != hold", ["kind=void"]),
        ("kind = void and not (kind = void)", ["kind=" + ""]),
        ("(reference = a or reference = b) and parent_id = 7", ["parent_id=7"]),
        ("(reference = a or kind = void) and parent_id = 7", ["parent_id=7"]),
        ("(reference = a or parent_id = 7) and kind = void", ["reference=a kind=void", "parent_id=7 kind=void"]),
        ("(reference = a or amount = 1) and (kind = void or id = 1)", ["kind=void", "id=1"]),
        ("not (reference != a or amount > 1)", ["reference=a"]),
        ("not not reference = a", ["reference=a"]),
        ("status in (queued, declined)", ["status=declined|queued"]),
        ("status != posted and id = 1", ["id=1 status=cancelled|captured|declined|expired|held|queued|voided"]),
        ("reference = a and reference = b", ["reference=a"]),
        (f"kind = void and id in ({','.join(map(str, range(PATHS_MAX + 1)))})", ["kind=void"]),
        ("account = users:1 and account_id = 2", ["account_id=2 account=users:1"]),
    ],
)
async def test_the_paths_that_find_the_fewest_rows_are_taken(text: str, found: Sequence[str]) -> None:
    assert await paths(text) == found


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("amount > 3", ["amount"]),
        ("reference = null", ["reference"]),
        ("reference != a", ["reference"]),
        ("reference in (a, null)", ["reference"]),
        ("source = users:*", ["source"]),
        ("status in (posted, held)", ["status"]),
        ("kind not in (hold, void)", ["kind"]),
        ("not ctime = 2026-01-01T00:00:00Z", ["ctime"]),
        ("reference = a or (amount > 3 and description = b)", ["amount", "description"]),
        ("not (reference = a and kind = void)", ["reference"]),
        ("target = users:1 and target_account_id = 7", ["target", "target_account_id"]),
    ],
)
async def test_what_no_index_finds_is_not_searched(text: str, fields: Sequence[str]) -> None:
    with pytest.raises(NotIndexed) as refused:
        await paths(text)
    assert refused.value.fields == fields
    assert await paths(text, AccessPath({"account_id": 7}, rank=3)), "a parameter beside it helps"


async def test_bounds_are_those_that_all_parts_have() -> None:
    days = [f"2026-01-0{day} 00:00:00+00:00" for day in range(1, 5)]
    first, second, third, fourth = (f"{day[:10]}T{day[11:]}" for day in days)
    assert await paths(f"ctime >= {first} and ctime > {second} and ctime <= {fourth} and not ctime >= {third}") == [
        f"ctime={days[1]}..{days[2]}"
    ]
    assert await paths(f"ctime in ({third}, {second})") == [f"ctime={days[1]}..{days[2]}"]
    assert await paths("version > 2 and version <= 9", fields=LINE_FIELDS, given=AccessPath(rank=3)) == ["version=2..9"]


async def test_more_places_than_a_page_may_look_in_are_refused() -> None:
    with pytest.raises(TooWide) as refused:
        await paths(" or ".join(f"reference = {number}" for number in range(PATHS_MAX + 1)))
    assert (refused.value.places, refused.value.most) == (PATHS_MAX + 1, PATHS_MAX)
    assert len(await paths(" or ".join(f"reference = {number}" for number in range(PATHS_MAX)))) == PATHS_MAX


@pytest.mark.parametrize("fields", [TRANSACTION_FIELDS, LINE_FIELDS, ACCOUNT_FIELDS])
def test_each_index_of_the_table_is_one_of_the_schema(fields: Fields[Any]) -> None:
    for name, field in fields.items():
        is_found = field.access is not Access.NONE and field.rank > 0
        assert bool(field.index) is is_found, name
        if is_found:
            assert re.search(
                rf"(INDEX|CONSTRAINT) {field.index.replace('transaction_', '(transaction_|transaction_p000000_)')} ",
                SCHEMA,
            ), name


def documented(heading: str) -> dict[str, str]:
    """What the documentation says of the index of each field, in the order of the fields."""
    section = DOCS.split(f"\n### {heading}\n")[1].split("\n### ")[0]
    return dict(re.findall(r"^\| `(\w+)` \|.*\| (.*?) ?\|$", section, re.MULTILINE))


@pytest.mark.parametrize("heading", TABLES)
def test_the_documentation_has_each_field_and_whether_an_index_finds_it(heading: str) -> None:
    said, fields = documented(heading), TABLES[heading]
    assert [*said] == [*fields]
    assert {name: bool(text) for name, text in said.items()} == {name: field.rank > 0 for name, field in fields.items()}


def test_lines_have_fields_of_their_own_beside_those_of_transactions() -> None:
    own = [name for name in LINE_FIELDS if name not in TRANSACTION_FIELDS]
    assert [*documented("Lines of an account")] == own


def test_the_documentation_has_all_words_and_limits() -> None:
    for fields in TABLES.values():
        for field in fields.values():
            assert ", ".join(f"`{choice}`" for choice in field.choices) in DOCS
    limits = (f"{filters.LENGTH_MAX:,} characters", f"{filters.VALUES_MAX} values", f"{filters.DEPTH_MAX} brackets")
    for said in (*limits, f"{PATHS_MAX} of them"):
        assert f"at most {said}" in DOCS or f"may be {said}" in DOCS
