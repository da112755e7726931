"""Money is added and negated by functions that lose no digit: operators and abs() round to 28 digits in silence."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "koshel"
MONEY = {"amount", "balance", "held", "change", "refunded", "available", "total", "totals", "total_in", "total_out"}
WITH_CENTS = {"demo.py"}  # whose own amounts are short, and are in one currency
ROUND = {"abs", "sum", "round"}


def name(node: ast.expr) -> str | None:
    """What a value is called: the last name of `line.change`, `row["amount"]` or `totals[key]`."""
    match node:
        case ast.Name(found) | ast.Attribute(attr=found) | ast.Subscript(slice=ast.Constant(str(found))):
            return found
        case ast.Subscript(value=of):
            return name(of)
    return None


def rounding(code: str) -> Iterator[int]:
    """The lines where money may be rounded."""
    for node in ast.walk(ast.parse(code)):
        operands: list[ast.expr] = []
        match node:
            case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
                operands = [operand]
            case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right):
                operands = [left, right]
            case ast.AugAssign(target, ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), value):
                operands = [target, value]
            case ast.Call(ast.Name(function), arguments) if function in ROUND:
                operands = arguments
        if MONEY & {*map(name, operands)}:
            assert isinstance(node, ast.expr | ast.stmt)
            yield node.lineno


def test_no_digit_of_money_is_lost_to_an_operator() -> None:
    files = [path for path in sorted(SOURCE.rglob("*.py")) if path.name not in WITH_CENTS]
    assert [f"{path.relative_to(SOURCE)}:{line}" for path in files for line in rounding(path.read_text())] == []


@pytest.mark.parametrize(
    "code",
    ["-line.change", '-row["amount"]', "-totals[name]", "held - amount", "abs(one.balance)", "self.total += one"],
)
def test_what_would_lose_one_is_seen(code: str) -> None:
    assert list(rounding(code)) == [1]
