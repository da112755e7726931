"""`koshel top`: what a service does just now, in a terminal; over all of its workers, as its metrics are."""

import time
from collections.abc import Iterable, Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from koshel.telemetry.readings import Between, NotReadable, Reading, read

ROWS_MAX = 12  # of a list
STEPS = ("resolve", "lock", "decide", "write", "commit")
DURATION = "koshel_http_request_duration_seconds"


def watch(console: Console, url: str, key_file: str | None, every_s: float, *, once: bool) -> None:
    """Show the service until interrupted, or once. Raises NotReadable if it cannot be seen at the beginning."""
    before = read(url, key_file)
    if once:
        time.sleep(every_s)
        console.print(view(url, Between(before, read(url, key_file))))
        return
    with Live(Text(f"{url} …"), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            shown, before = _next(url, key_file, before)
            live.update(shown, refresh=True)


def _next(url: str, key_file: str | None, before: Reading) -> tuple[RenderableType, Reading]:
    try:
        after = read(url, key_file)
    except NotReadable as error:
        return Text(str(error), style="red"), before
    return view(url, Between(before, after)), after


def view(url: str, seen: Between) -> RenderableType:
    """One picture."""
    return Group(_head(url, seen), "", *_side_by_side(_routes(seen), _batches(seen)), "", *_rest(seen))


def _head(url: str, seen: Between) -> Text:
    now = seen.after
    facts = [
        f"Koshel {now.label('koshel_build_info', 'version')}",
        url,
        f"{now.value('koshel_workers'):.0f} workers",
        f"{seen.rate('koshel_worker_cpu_seconds_total'):.2f} cores",
        f"{now.value('koshel_worker_memory_bytes') / 2**20:.0f} MiB",
        f"{now.value('koshel_http_connections'):.0f} connections",
    ]
    head = Text("  ".join(facts), style="bold")
    for name, said in {
        "koshel_database_up": "the database does not answer",
        "koshel_database_durable": "the database is not durable",
        "koshel_schema_current": "the schema is not current",
    }.items():
        if any(not value for _, value in now.series(name)):
            head.append(f"  {said}", style="bold red")
    return head


def _side_by_side(*tables: Table) -> Iterator[RenderableType]:
    grid = Table.grid(padding=(0, 4))
    grid.add_row(*tables)
    yield grid


def _routes(seen: Between) -> Table:
    table = _table("requests", "a second", "half", "99 %", "problems")
    rates = seen.rates("koshel_http_requests_total", "route")
    for route, rate in _first(rates.items()):
        half, most = (seen.quantile(part, DURATION, route=route) for part in (0.5, 0.99))
        statuses = {found["status"] for found, _ in seen.after.series("koshel_http_requests_total", route=route)}
        problems = sum(
            seen.rate("koshel_http_requests_total", route=route, status=one) for one in statuses if one >= "400"
        )
        table.add_row(route, _number(rate), _ms(half), _ms(most), _number(problems))
    table.add_row("all", _number(sum(rates.values())), style="bold")
    return table


def _batches(seen: Between) -> Table:
    table = _table("batches", "", "99 %")
    name = "koshel_batch_commands"
    table.add_row("a second", _number(seen.rate(f"{name}_count")))
    table.add_row("commands in one", _number(seen.mean(name)), _number(seen.quantile(0.99, name)))
    name = "koshel_queue_wait_seconds"
    table.add_row("waited", _ms(seen.mean(name)), _ms(seen.quantile(0.99, name)))
    name = "koshel_batch_step_seconds"
    for step in STEPS:
        table.add_row(step, _ms(seen.mean(name, step=step)), _ms(seen.quantile(0.99, name, step=step)))
    return table


def _rest(seen: Between) -> Iterator[RenderableType]:
    now = seen.after
    waiting = _table("waiting", "")
    for said, name in {
        "in the queue": "koshel_queue_commands",
        "in lanes": "koshel_lane_commands",
        "lanes": "koshel_lanes",
        "for a connection": "koshel_pool_waiting",
        "queued transactions": "koshel_queued_transactions",
        "… of them stopped": "koshel_queued_retrying",
        "scheduled": "koshel_scheduled_transactions",
        "holds due": "koshel_holds_due",
    }.items():
        waiting.add_row(said, _number(now.value(name)))
    waiting.add_row("oldest queued", f"{now.value('koshel_queued_oldest_age_seconds'):.0f} s")
    lists = {
        "transactions": ("koshel_transactions_total", "kind"),
        "refusals": ("koshel_refusals_total", "code"),
        "problems": ("koshel_http_problems_total", "code"),
        "settled again": ("koshel_settled_again_total", "cause"),
        "keys refused": ("koshel_keys_refused_total", "reason"),
    }
    tables = [waiting]
    for said, (name, label) in lists.items():
        if rates := seen.rates(name, label):
            table = _table(said, "a second")
            for value, rate in _first(rates.items()):
                table.add_row(value, _number(rate))
            tables.append(table)
    yield from _side_by_side(*tables)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _first(rows: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return [*rows][:ROWS_MAX]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1_000:.1f} ms"
