"""What was measured, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence

from bench import money_report
from bench.contest import Measure, Plan
from bench.in_process import Settling
from bench.lifetime import Look
from bench.load import Shape
from bench.markdown import cells, pairs, table, yes
from bench.overload import PRESSED
from bench.proving import HISTORY_IS
from bench.results import Results, Row
from bench.targets import judged


def render(results: Results) -> str:
    """The whole of RESULTS.md."""
    parts = [
        "# Results",
        *_invalid(results.failures),
        _how(results.command, results.plan, results.took_s),
        table(("the machine", ""), results.machine),
        table(("PostgreSQL", ""), results.settings),
        "## What it must reach",
        table(("", "floor", "aim", "reached", ""), judged(results)),
    ]
    if results.table:
        parts += _against_baseline(results.table) + _against_nothing(results.table)
    parts += money_report.sections(results)
    if found := [str(one) for one in (results.overload, results.flood, results.wrong_keys) if one is not None]:
        parts += ["## Overload, a flood, and wrong keys", PRESSED, "\n".join(f"- {one}." for one in found)]
    if results.settling:
        parts += _settling(results.settling)
    for title, rows in results.tuned.items():
        parts += _tuned(title, rows)
    if results.looks:
        parts += _memory(results.looks)
    if results.proving is not None:
        parts += ["## Proving the books", f"{results.proving}. {HISTORY_IS}"]
    if results.first_answer_s is not None:
        parts += ["## The first start", f"From nothing to the first answer: {results.first_answer_s:.2f} s."]
    return "\n\n".join(parts) + "\n"


def _how(command: str, plan: Plan, took_s: float) -> str:
    return (
        f"Written by `{command}`. Koshel and the baseline take turns, with {plan.workers} processes each, and wrk on "
        f"the same cores; each figure is the median of {plan.rounds} runs of {plan.run_s} s, after {plan.warm_up_s} s "
        "to warm up; in the first tables of twice as many with one connection, and of three times as many beside the "
        "endpoint that does nothing. Latencies are wrk's. The books were proved after every part, over all its runs. "
        f"No server writes an access log, but where that is said. All of it took {took_s / 60:.0f} minutes. "
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


def _against_baseline(measured: Sequence[Row]) -> list[str]:
    head = (
        *("accounts", "conns", "keys", "transfers/s", "p50 ms", "p99 ms"),
        *("server CPU µs", "PostgreSQL CPU µs", "worker MB"),
    )
    rows = [cells(shape, pairs(measures["koshel"], measures["baseline"])) for shape, measures in measured]
    text = "Koshel : baseline = ratio. CPU is for each transfer; PostgreSQL's is that of all its processes."
    return ["## Against the per-request design", text, table(head, rows)]


def _against_nothing(measured: Sequence[Row]) -> list[str]:
    head = ("accounts", "conns", "keys", "requests/s", "p50 ms", "p99 ms", "server CPU µs")
    rows = [
        cells(shape, pairs(measures["koshel"], measures["nothing"])[:4])
        for shape, measures in measured
        if "nothing" in measures
    ]
    return [
        "## Against an endpoint that does nothing",
        "Koshel's transfers : the baseline server's `POST /nothing` = ratio.",
        table(head, rows),
    ]


def _settling(settling: Iterable[Settling]) -> list[str]:
    head = ("batch", "keys", "one ledger, transfers/s", "1,000 ledgers, transfers/s", "ratio")
    rows = [
        (str(s.batch), yes(s.keys), f"{s.one_per_s:,.0f}", f"{s.many_per_s:,.0f}", f"{s.ratio:.2f}") for s in settling
    ]
    return ["## `settle` alone, in process", table(head, rows)]


def _tuned(title: str, measured: Sequence[Row]) -> list[str]:
    values = list(measured[0][1])
    head = ["accounts", "conns", "keys"]
    head += [f"{what}, {value}" for value in values for what in ("transfers/s", "p99 ms", "CPU µs")]
    rows = [
        cells(shape, [cell for value in values for cell in _brief(measures[value])]) for shape, measures in measured
    ]
    return [f"## {title}", "CPU is the server's and PostgreSQL's together.", table(head, rows)]


def _brief(one: Measure) -> tuple[str, str, str]:
    return f"{one.per_s:,.0f}", f"{one.p99_ms:.1f}", f"{one.server_us + one.database_us:.0f}"


def _memory(looks: Iterable[Look]) -> list[str]:
    rows = [(f"{look.transfers:,}", f"{look.worker_mb:.1f}") for look in looks]
    return ["## Memory over a million transfers", table(("transfers", "worker MB"), rows)]
