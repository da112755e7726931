"""What large books were measured at, as Markdown."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from bench.large_books import Size
from bench.large_files import IMPORT_ACCOUNTS, IMPORTED, Filed
from bench.large_reads import Look
from bench.large_writes import BATCHES, CALLERS, CONNECTIONS, KINDS, MEMBERS, SINGLES, Settled
from bench.markdown import table

P99_MS = 20.0
RATIO = 1.5
RATE, RATE_AIM = 0.85, 0.95
READER = 0.85
EXPORTED_PER_S = 150_000
IMPORTED_PER_S = 25_000


class Measured(Struct, frozen=True):
    """All of it."""

    command: str
    size: Size
    load_s: float
    read: Sequence[Look]
    settled: Settled
    batched: Settled
    exported: Filed
    imported: Filed
    machine: Sequence[tuple[str, str]]
    is_proved: bool = False


def render(measured: Measured) -> str:
    """The whole of RESULTS-large.md."""
    size = measured.size
    proved = "`koshel verify` has proved them at the end." if measured.is_proved else "They were not proved."
    books = (
        f"`{measured.command}`: "
        f"{size.accounts:,} accounts and {size.transactions:,} transactions, of which one account has {size.lines:,}"
        f" lines; made in {measured.load_s:,.0f} s. {proved}"
    )
    settled = (
        f"Single transfers: {CONNECTIONS} connections to {SINGLES.workers} workers of each books,"
        f" {measured.settled.seconds:,.0f} s of each. Batches of {MEMBERS}: {CALLERS} callers of {BATCHES.workers}"
        f" worker, {measured.batched.seconds:,.0f} s of each. All in turn, with a checkpoint in the middle."
    )
    parts = [
        "# Results of large books",
        books,
        table(("the machine", ""), measured.machine),
        "## What it must reach",
        table(("", "must", "reached", ""), list(_judged(measured))),
        "## What a reader waits for",
        "Over one connection to one worker, with a warm cache.",
        table(
            ("", "median, ms", "p99, ms", "median against page 1"),
            [_cells(one, measured.read) for one in measured.read],
        ),
        "## Transfers",
        settled,
        table(
            ("books", "single transfers/s", "in batches"),
            [(kind, *(f"{of.per_s[kind]:,.0f}" for of in (measured.settled, measured.batched))) for kind in KINDS],
        ),
        "## Files",
        f"`koshel export` of all transactions; `koshel import` of {IMPORTED:,} between {IMPORT_ACCOUNTS:,} accounts.",
        table(
            ("", "transactions/s", "memory after a tenth, MB", "at the end"),
            [_memory("export", measured.exported), _memory("import", measured.imported)],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _judged(measured: Measured) -> Iterator[tuple[str, str, str, str]]:
    slowest = max(measured.read, key=lambda look: look.p99_ms)
    yield (
        f"p99 of each, the slowest: {slowest.name}",
        f"≤ {P99_MS:g} ms",
        f"{slowest.p99_ms:.1f} ms",
        _verdict(slowest.p99_ms <= P99_MS),
    )
    ratios = [(_ratio(one, measured.read), one.name) for one in measured.read if one.compared_with]
    ratio, name = max(ratios)
    yield f"a page far behind as page 1: {name}", f"≤ {RATIO:g}", f"{ratio:.2f}", _verdict(ratio <= RATIO)
    small, large, beside = (measured.settled.per_s[kind] for kind in KINDS)
    verdict = "aim" if large / small >= RATE_AIM else _verdict(large / small >= RATE)
    yield "transfers/s against small books", f"≥ {RATE:g} (aim {RATE_AIM:g})", f"{large / small:.2f}", verdict
    batched = measured.batched.per_s
    yield f"the same in batches of {MEMBERS}", "", f"{batched[KINDS[1]] / batched[KINDS[0]]:.2f}", ""
    yield (
        "transfers/s beside a reader of a statement",
        f"≥ {READER:g}",
        f"{beside / large:.2f}",
        _verdict(beside / large >= READER),
    )
    yield _filed("transactions/s exported as JSON Lines", measured.exported, EXPORTED_PER_S)
    yield _filed("transactions/s imported from JSON Lines", measured.imported, IMPORTED_PER_S)


def _filed(what: str, filed: Filed, wanted: int) -> tuple[str, str, str, str]:
    return what, f"≥ {wanted:,}", f"{filed.per_s:,.0f}", _verdict(filed.per_s >= wanted)


def _memory(what: str, filed: Filed) -> tuple[str, str, str, str]:
    return what, f"{filed.per_s:,.0f}", f"{filed.early_mb:.0f}", f"{filed.late_mb:.0f}"


def _verdict(is_reached: bool) -> str:  # noqa: FBT001  what it is asked about
    return "reached" if is_reached else "**missed**"


def _ratio(look: Look, looks: Sequence[Look]) -> float:
    return next(look.p50_ms / one.p50_ms for one in looks if one.name == look.compared_with)


def _cells(look: Look, looks: Sequence[Look]) -> tuple[str, str, str, str]:
    ratio = f"{_ratio(look, looks):.2f}" if look.compared_with else ""
    return look.name, f"{look.p50_ms:.1f}", f"{look.p99_ms:.1f}", ratio
