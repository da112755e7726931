"""What was measured, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from bench.contest import Measure, Plan
from bench.in_process import Settling
from bench.lifetime import Look
from bench.load import Shape
from bench.targets import judged

Table = Sequence[tuple[Shape, Mapping[str, Measure]]]


class Results(Struct):
    """All of it; what was not measured is empty."""

    command: str
    plan: Plan
    machine: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    table: list[tuple[Shape, dict[str, Measure]]] = field(default_factory=list)
    settling: list[Settling] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    tuned: dict[str, list[tuple[Shape, dict[str, Measure]]]] = field(default_factory=dict)
    first_answer_s: float | None = None
    failures: Sequence[str] = ()


def render(results: Results) -> str:
    """The whole of RESULTS.md."""
    parts = [
        "# Results",
        *_invalid(results.failures),
        _how(results.command, results.plan),
        _table(("the machine", ""), results.machine),
        _table(("PostgreSQL", ""), results.settings),
        "## What it must reach",
        _table(
            ("", "floor", "aim", "reached", ""),
            judged(results.table, results.settling, results.looks, results.first_answer_s),
        ),
    ]
    if results.table:
        parts += _against_baseline(results.table) + _against_nothing(results.table)
    if results.settling:
        parts += _settling(results.settling)
    for title, table in results.tuned.items():
        parts += _tuned(title, table)
    if results.looks:
        parts += _memory(results.looks)
    if results.first_answer_s is not None:
        parts += ["## The first start", f"From nothing to the first answer: {results.first_answer_s:.2f} s."]
    return "\n\n".join(parts) + "\n"


def _how(command: str, plan: Plan) -> str:
    return (
        f"Written by `{command}`. Koshel and the baseline take turns, with {plan.workers} processes each, and wrk on "
        f"the same cores; each figure is the median of {plan.rounds} runs of {plan.run_s} s, after {plan.warm_up_s} s "
        "to warm up. Latencies are wrk's. After every run that the tables show the books were proved. "
        "Neither side writes an access log; Koshel's costs it about a twentieth. "
        "Look at the ratios: the rest depends on the machine."
    )


def line(shape: Shape, measures: Mapping[str, Measure]) -> str:
    """One shape's throughput, for whoever watches."""
    found = ", ".join(f"{name} {one.per_s:,.0f}/s (p99 {one.p99_ms:.1f} ms)" for name, one in measures.items())
    return f"{shape}: {found}"


def _invalid(failures: Sequence[str]) -> list[str]:
    if not failures:
        return []
    return ["**INVALID: this run does not count.**", "\n".join(f"- {failure}" for failure in failures)]


def _against_baseline(table: Table) -> list[str]:
    head = (
        *("accounts", "conns", "keys", "transfers/s", "p50 ms", "p99 ms"),
        *("server CPU µs", "PostgreSQL CPU µs", "worker MB"),
    )
    rows = [_cells(shape, _pairs(measures["koshel"], measures["baseline"])) for shape, measures in table]
    text = "Koshel : baseline = ratio. CPU is for each transfer; PostgreSQL's is that of all its processes."
    return ["## Against the per-request design", text, _table(head, rows)]


def _against_nothing(table: Table) -> list[str]:
    head = ("accounts", "conns", "keys", "requests/s", "p50 ms", "p99 ms", "server CPU µs")
    rows = [
        _cells(shape, _pairs(measures["koshel"], measures["nothing"])[:4])
        for shape, measures in table
        if "nothing" in measures
    ]
    return [
        "## Against an endpoint that does nothing",
        "Koshel's transfers : the baseline server's `POST /nothing` = ratio.",
        _table(head, rows),
    ]


def _settling(settling: Iterable[Settling]) -> list[str]:
    head = ("batch", "keys", "one ledger, transfers/s", "1,000 ledgers, transfers/s", "ratio")
    rows = [
        (str(s.batch), _yes(s.keys), f"{s.one_per_s:,.0f}", f"{s.many_per_s:,.0f}", f"{s.ratio:.2f}") for s in settling
    ]
    return ["## `settle` alone, in process", _table(head, rows)]


def _tuned(title: str, table: Table) -> list[str]:
    values = list(table[0][1])
    head = ["accounts", "conns", "keys"]
    head += [f"{what}, {value}" for value in values for what in ("transfers/s", "p99 ms", "CPU µs")]
    rows = [_cells(shape, [cell for value in values for cell in _brief(measures[value])]) for shape, measures in table]
    return [f"## {title}", "CPU is the server's and PostgreSQL's together.", _table(head, rows)]


def _brief(one: Measure) -> tuple[str, str, str]:
    return f"{one.per_s:,.0f}", f"{one.p99_ms:.1f}", f"{one.server_us + one.database_us:.0f}"


def _memory(looks: Iterable[Look]) -> list[str]:
    rows = [(f"{look.transfers:,}", f"{look.worker_mb:.1f}") for look in looks]
    return ["## Memory over a million transfers", _table(("transfers", "worker MB"), rows)]


def _pairs(ours: Measure, theirs: Measure) -> list[str]:
    return [
        _pair(ours.per_s, theirs.per_s, ",.0f"),
        _pair(ours.p50_ms, theirs.p50_ms, ".2f"),
        _pair(ours.p99_ms, theirs.p99_ms, ".2f"),
        _pair(ours.server_us, theirs.server_us, ".0f"),
        _pair(ours.database_us, theirs.database_us, ".0f"),
        _pair(ours.worker_mb, theirs.worker_mb, ".0f"),
    ]


def _pair(ours: float, theirs: float, form: str) -> str:
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    return f"{ours:{form}} : {theirs:{form}} = **{ratio}**"


def _cells(shape: Shape, cells: Iterable[str]) -> list[str]:
    return [shape.distribution, str(shape.connections), _yes(shape.keys), *cells]


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
