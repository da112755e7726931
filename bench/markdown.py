"""Cells and tables of Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from bench.contest import Measure
from bench.load import Shape


def pairs(ours: Measure, theirs: Measure) -> list[str]:
    """Rate, p50, p99, processor time of the server and of PostgreSQL, memory: ours, theirs, the ratio."""
    return [
        pair(ours.per_s, theirs.per_s, ",.0f"),
        pair(ours.p50_ms, theirs.p50_ms, ".2f"),
        pair(ours.p99_ms, theirs.p99_ms, ".2f"),
        pair(ours.server_us, theirs.server_us, ".0f"),
        pair(ours.database_us, theirs.database_us, ".0f"),
        pair(ours.worker_mb, theirs.worker_mb, ".0f"),
    ]


def pair(ours: float, theirs: float, form: str) -> str:
    """Two figures and their ratio."""
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    return f"{ours:{form}} : {theirs:{form}} = **{ratio}**"


def cells(shape: Shape, rest: Iterable[str]) -> list[str]:
    """A row that begins with what the load was."""
    return [shape.distribution, str(shape.connections), yes(shape.keys), *rest]


def yes(value: Any) -> str:
    """Or no."""
    return "yes" if value else "no"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
