"""Sections of the report: batches, holds, the background, and one version against another."""

from collections.abc import Sequence
from statistics import median

from bench.against import OURS, Compared
from bench.backlog import Backlog
from bench.batches import BATCH_CONNECTIONS, SINGLE_CONNECTIONS, Batched
from bench.contest import Plan
from bench.locked import CALLERS, SHAPE, Locked
from bench.markdown import cells, pair, pairs, table
from bench.results import Results, Row
from bench.scheduled import Scheduled

COMPARED = (
    "This version : the other = ratio, in turn on databases of their own. By round: the median of the ratios of runs "
    "that followed each other. Worker CPU is that of the processes that answer, without the one that looks after them."
)
LOGGED = "With the access log on, in a file : without = ratio. The rest is as above."

SPLITS_TEXT = (
    "One amount to ten targets by shares : an atomic batch of ten transfers from one account = ratio, in turn on one "
    "database. A unit is a leg, or a transfer. The rest is as above."
)
CALLERS_TEXT = "The first : the second = ratio. By name: once each worker has met each name. The rest is as above."


def sections(results: Results) -> list[str]:
    """Those that were measured."""
    parts = _earlier(results)
    if results.logged is not None:
        parts += ["## The access log", LOGGED, _comparison([results.logged])]
    if results.callers:
        parts += ["## Keys, metrics, ledgers, names, limits", CALLERS_TEXT, _comparison(results.callers)]
    if results.locked:
        parts += _locked(results.locked)
    if results.batched:
        parts += _batched(results.batched, results.plan)
    if results.held:
        parts += _held(results.held)
    if results.backlog is not None:
        parts += _backlog(results.backlog)
    if results.scheduled is not None:
        parts += _scheduled(results.scheduled)
    if results.split is not None:
        parts += ["## Splits", SPLITS_TEXT, _comparison([results.split])]
    if results.compared:
        parts += ["## Against the other version", COMPARED, _comparison(results.compared)]
    return parts


def _locked(locked: Sequence[Locked]) -> list[str]:
    head = ("locked rows", "conns", "transfers/s", "ratio by round", "p50 ms", "p99 ms", "p99 ratio by round")
    rows = []
    for one in locked:
        beside, alone = one.compared.medians
        rate, p50, p99, *_ = pairs(beside, alone)
        rows.append(
            [
                f"{one.rows:,}",
                str(SHAPE.connections),
                rate,
                _spread(one.compared.ratios),
                p50,
                p99,
                _spread(one.p99_ratios),
            ]
        )
    text = (
        f"Transfers among other accounts while an open transaction has locked some, which {CALLERS} callers ask for "
        "all the time : the same without them = ratio, in turn on one database."
    )
    return ["## Beside locked rows", text, table(head, rows)]


def _spread(ratios: Sequence[float]) -> str:
    return f"**{median(ratios):.3f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def _batched(batched: Sequence[Batched], plan: Plan) -> list[str]:
    head = (
        *("keys", "transfers/s against single", "against `settle`"),
        *("server CPU µs", "PostgreSQL CPU µs", "p50 ms of a batch", "p99 ms", "worker MB"),
    )
    rows = [
        (
            one.keys,
            pair(one.batch.per_s, one.single.per_s, ",.0f"),
            pair(one.batch.per_s, one.settle_per_s, ",.0f"),
            pair(one.batch.server_us, one.single.server_us, ".0f"),
            pair(one.batch.database_us, one.single.database_us, ".0f"),
            *(f"{one.batch.p50_ms:.1f}", f"{one.batch.p99_ms:.1f}"),
            pair(one.batch.worker_mb, one.single.worker_mb, ".0f"),
        )
        for one in batched
    ]
    text = (
        f"`POST /transaction/batch`, atomic, 500 transfers each, over {BATCH_CONNECTIONS} connections : single "
        f"requests over {SINGLE_CONNECTIONS} = ratio; and against `settle` alone, which settles batches of 500 plain "
        f"transfers in {plan.workers} processes at once, as many as the server has, on the same database and in turn "
        "with both, but without wrk beside it. A single request and a batch each have one key or none, and that is all "
        "it takes to repeat them safely; in the last row each transfer in a batch has one of its own besides, and so a "
        "receipt of its own. CPU is for each transfer."
    )
    return ["## Batches over HTTP", text, table(head, rows)]


def _held(held: Sequence[Row]) -> list[str]:
    head = ("accounts", "conns", "keys", "units/s", "p50 ms", "p99 ms", "server CPU µs", "PostgreSQL CPU µs")
    rows = [cells(shape, pairs(measures["pairs"], measures["transfers"])[:5]) for shape, measures in held]
    text = (
        "Pairs of a hold and its capture : plain transfers = ratio. Latencies are those of a single request, CPU that "
        "of a whole pair. wrk reads each answer for the hold's id, which it does not with transfers."
    )
    return ["## Hold and capture", text, table(head, rows)]


def _backlog(backlog: Backlog) -> list[str]:
    drains = [
        (f"{drain.per_s:,.0f}", f"{drain.early_mb:.1f}", f"{drain.most_mb:.1f}", f"{drain.after_mb:.1f}")
        for drain in backlog.drains
    ]
    alone, beside = backlog.alone, backlog.beside
    latencies = [
        ("p50 ms", pair(beside.p50_ms, alone.p50_ms, ".2f")),
        ("p99 ms", pair(beside.p99_ms, alone.p99_ms, ".2f")),
        ("transfers/s", pair(beside.per_s, alone.per_s, ",.0f")),
    ]
    memory = (
        f"{backlog.size:,} transfers, queued before the service starts, then drained by it alone; in turn with "
        f"synchronous transfers over 256 connections: {pair(backlog.drained_per_s, backlog.sync.per_s, ',.0f')} a "
        f"second. The largest worker has {backlog.idle_mb:.1f} MB when it starts with nothing queued, and "
        f"{backlog.busy_mb:.1f} MB after synchronous transfers."
    )
    waiting = (
        f"With `Prefer: respond-async`, over 256 connections: {backlog.accepted.per_s:,.0f} queued transactions/s. "
        "Synchronous transfers over 16 connections while those are drained : alone = ratio."
    )
    return [
        "## In the background",
        memory,
        table(("drained/s", "MB when a tenth is drained", "MB at most", "MB after"), drains),
        waiting,
        table(("", "beside a backlog : alone"), latencies),
    ]


def _scheduled(scheduled: Scheduled) -> list[str]:
    alone, beside = scheduled.alone, scheduled.beside
    text = (
        f"{scheduled.size:,} transfers, scheduled for one second, from then until all are decided : as many that were "
        f"queued, by the rate at which they are drained, in turn: "
        f"{pair(median(scheduled.took_s), median(scheduled.drained_s), '.1f')} seconds. And synchronous transfers over "
        "16 connections from that second on : alone."
    )
    latencies = [
        ("p50 ms", pair(beside.p50_ms, alone.p50_ms, ".2f")),
        ("p99 ms", pair(beside.p99_ms, alone.p99_ms, ".2f")),
        ("transfers/s", pair(beside.per_s, alone.per_s, ",.0f")),
    ]
    return ["## Schedules", text, table(("", "beside schedules : alone"), latencies)]


def _earlier(results: Results) -> list[str]:
    title = "## Against 0.2.0"
    if results.not_compared is not None:
        return [title, f"**Not compared:** {results.not_compared}"]
    if not results.earlier:
        return []
    parts = [title, f"{COMPARED} 0.2.0 is installed from this project's history.", _comparison(results.earlier)]
    drains = {name: median(rates) for name, rates in results.earlier_drains.items()}
    ours, *others = (drains.pop(OURS.name), *drains.values()) if drains else ()
    return [*parts, *(f"Queued transactions drained a second: {pair(ours, other, ',.0f')}." for other in others)]


def _comparison(compared: Sequence[Compared]) -> str:
    head = (
        *("what", "accounts", "conns", "keys", "units/s", "ratio by round", "p50 ms", "p99 ms"),
        *("worker CPU µs", "server CPU µs", "PostgreSQL CPU µs"),
    )
    rows = []
    for one in compared:
        ours, other = one.medians
        rate, *rest = pairs(ours, other)[:5]
        rest.insert(2, pair(ours.worker_us, other.worker_us, ".1f"))
        rows.append([one.what, *cells(one.shape, [rate, _spread(one.ratios), *rest])])
    return table(head, rows)
