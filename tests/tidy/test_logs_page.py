"""docs/logs.md has every line that the source can log, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from koshel.http.connection.access import Line

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "logs.md").read_text()
LEVELS = ("debug", "info", "warning", "error", "exception")


def rows(heading: str) -> list[list[str]]:
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]


def name(row: list[str]) -> str:
    """What the row is about; an event may have back quotes of its own."""
    return row[0].strip("` ")


def said(node: ast.expr) -> str | None:
    """An event, with `…` for what is different each time; None if it is not written where it is logged."""
    match node:
        case ast.Constant(value=str(text)):
            return re.sub(r"%s", "…", text)
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case _:
            return None


def logged() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Each line that the source logs: its event, its level, and its fields."""
    for path in (ROOT / "src" / "koshel").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
                if ast.unparse(node.func.value) not in {"_log", "self.log"}:
                    continue
                event = said(node.args[0])
                if event is not None:
                    names = {one.arg for one in node.keywords if one.arg is not None}
                    yield event, node.func.attr, frozenset(names)


LOGGED = sorted(set(logged()))


def test_there_are_some() -> None:
    assert len(LOGGED) > 20


@pytest.mark.parametrize(("event", "level", "fields"), LOGGED)
def test_a_line_is_described_with_its_level_and_its_fields(event: str, level: str, fields: frozenset[str]) -> None:
    (row,) = [row for row in rows("Standard error") if name(row) == event.strip("` ")]
    is_traceback = level == "exception" or "exc_info" in fields
    assert row[1] == ("error" if level == "exception" else level)
    described = set(re.findall(r"`(\w+)`", row[2])) - {"logger"}
    assert described == fields - {"exc_info"} | ({"exception"} if is_traceback else set())
    assert row[3]


def test_no_line_is_described_that_is_not_logged() -> None:
    assert {name(row) for row in rows("Standard error")} == {event.strip("` ") for event, _, _ in LOGGED}


def test_the_fields_of_the_access_log_are_those_that_it_has() -> None:
    assert [row[0].strip("`") for row in rows("Standard output")] == list(Line.__struct_fields__)
    example = PAGE.partition("```json\n")[2].partition("```")[0]
    assert list(msgspec.json.decode(example)) == list(Line.__struct_fields__)
    line = msgspec.json.decode(example, type=Line)
    assert line.key is not None
    assert line.key.isdecimal(), "as `koshel key list` shows it"
    assert f"""jq 'select(.key == "{line.key}")'""" in PAGE
