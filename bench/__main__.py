"""`make bench`: everything is started here, on loopback and a PostgreSQL of its own, and stopped at the end."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench import earlier, machine, report, startup
from bench.against import EARLIER, OURS, Version, against, asked
from bench.backlog import BACKLOG, QUICK_BACKLOG, DrainFailed, backlog, drains_of
from bench.batches import batched
from bench.books import BooksWrong, open_databases
from bench.callers import callers
from bench.contest import Contest, Plan
from bench.holds import held
from bench.in_process import NotPosted, settling
from bench.lifetime import first_answer_s, million
from bench.load import LoadFailed, shapes
from bench.locked import locked
from bench.logged import logged
from bench.overload import flood, overload, wrong_keys
from bench.proving import HISTORY, QUICK_HISTORY, proving
from bench.results import Results, Row
from bench.scheduled import QUICK_SCHEDULED, SCHEDULED, scheduled
from bench.servers import ServerFailed
from bench.splits import split_up
from bench.tuning import FLIGHTS, POOLS, tried

RESULTS = Path(__file__).with_name("RESULTS.md")
ALWAYS = (
    "http",
    "earlier",
    "logged",
    "callers",
    "locked",
    "overload",
    "flood",
    "batch",
    "hold",
    "background",
    "scheduled",
    "split",
    "settle",
    "start",
    "verify",
)
WHEN_ASKED = ("million", "flights", "pools")
PARTS = (*ALWAYS, *WHEN_ASKED, "against")

T = TypeVar("T")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write down what counts; 1 if it does not."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with tempfile.TemporaryDirectory(prefix="koshel-bench-", dir=options.directory) as directory:
            results = _measure(options, arguments, Path(directory))
    except (BooksWrong, DrainFailed, LoadFailed, NotPosted, ServerFailed) as error:
        sys.stderr.write(f"bench: INVALID: {type(error).__name__}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("bench: stopped\n")
        return 130
    text = report.render(results)
    print(f"\n{text}")
    if results.failures:
        sys.stderr.write(f"bench: INVALID: {len(results.failures)} failures; nothing was written\n")
        return 1
    if options.output is not None:
        options.output.write_text(text)
    return 0


def _stop(*_: object) -> None:
    """Told to stop, it stops as for Ctrl-C: what it has started ends with it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _measure(options: Any, arguments: Sequence[str], directory: Path) -> Results:
    plan, start = Plan(options.workers, options.warm_up, options.seconds, options.rounds), time.monotonic()
    with open_databases(directory) as databases:
        results = Results(
            command=" ".join(["python -m bench", *("..." if "/" in word else word for word in arguments)]),
            plan=plan,
            machine=machine.description(directory),
            settings=databases.settings(),
        )
        for name, value in (*results.machine, *results.settings):
            print(f"{name}: {value}")
        contest = Contest(databases, plan, directory)
        for part in options.parts:
            print(f"\n{part}", flush=True)
            _part(part, results, contest, options)
        results.failures, results.took_s = contest.failures, time.monotonic() - start
        print(f"\nit took {results.took_s / 60:.0f} minutes, and proving the books {contest.proving_s:.0f} s of that")
    return results


def _part(part: str, results: Results, contest: Contest, options: Any) -> None:
    """Measure one part, and show each figure as it comes."""
    plan, databases, directory, quick = contest.plan, contest.databases, contest.directory, options.quick
    match part:
        case "http":
            _rows(results.table, contest.table(shapes(quick=quick)))
        case "batch":
            _all(results.batched, batched(contest))
        case "hold":
            _rows(results.held, held(contest))
        case "background":
            results.backlog = backlog(contest, QUICK_BACKLOG if quick else BACKLOG)
            print(results.backlog, flush=True)
        case "settle":
            _all(results.settling, settling(databases, seconds=1 if quick else 4, rounds=1 if quick else 3))
        case "start":
            results.first_answer_s = first_answer_s(plan.workers, directory, rounds=1 if quick else 3)
            print(f"{results.first_answer_s:.2f} s", flush=True)
            results.serve_ratio = startup.measure(rounds=3 if quick else startup.ROUNDS).ratio
            print(f"{results.serve_ratio:.2f} x what importing takes", flush=True)
        case "verify":
            results.proving = proving(databases, QUICK_HISTORY if quick else HISTORY)
            print(results.proving, flush=True)
        case "million":
            _all(results.looks, million(databases, plan.workers, directory))
        case "flights" | "pools":
            knob = FLIGHTS if part == "flights" else POOLS
            _rows(results.tuned.setdefault(knob.title, []), tried(knob, contest, databases, plan, directory))
        case _:
            _compare(part, results, contest, options)


def _compare(part: str, results: Results, contest: Contest, options: Any) -> None:
    """This version in turn with another, or with itself otherwise set."""
    quick = options.quick
    match part:
        case "earlier":
            _earlier(results, contest, quick=quick)
        case "logged":
            results.logged = logged(contest, rounds=2 * contest.plan.rounds)
            print(results.logged, flush=True)
        case "callers":
            _all(results.callers, callers(contest, rounds=2 * contest.plan.rounds))
        case "locked":
            _all(results.locked, locked(contest, rounds=2 * contest.plan.rounds))
        case "scheduled":
            results.scheduled = scheduled(contest, QUICK_SCHEDULED if quick else SCHEDULED)
            print(results.scheduled, flush=True)
        case "split":
            results.split = split_up(contest, rounds=2 * contest.plan.rounds)
            print(results.split, flush=True)
        case "overload":
            results.overload = overload(contest, seconds=10 if quick else 60)
            print(results.overload, flush=True)
        case "flood":
            results.flood = flood(contest)
            results.wrong_keys = wrong_keys(contest)
            print(results.flood, results.wrong_keys, sep="\n", flush=True)
        case "against":
            _all(results.compared, against(contest, Version("other", options.other), asked(quick=quick)))


def _earlier(results: Results, contest: Contest, *, quick: bool) -> None:
    """This version in turn with 0.2.0; without that one, a note of why."""
    try:
        other = earlier.version()
    except earlier.NotInstalled as error:
        results.not_compared = str(error)
        sys.stderr.write(f"bench: NOT COMPARED: {error}\n")
        return
    rounds = contest.plan.rounds + contest.plan.rounds % 2  # each version is as often the first
    _all(results.earlier, against(contest, other, EARLIER[::2] if quick else EARLIER, rounds))
    size = QUICK_BACKLOG if quick else BACKLOG // 2
    results.earlier_drains = drains_of(contest, (OURS, other), size, rounds)
    print(results.earlier_drains, flush=True)


def _all(found: list[T], measured: Iterable[T]) -> None:
    for one in measured:
        found.append(one)
        print(one, flush=True)


def _rows(found: list[Row], measured: Iterable[Row]) -> None:
    for row in measured:
        found.append(row)
        print(report.line(*row), flush=True)


def _options(arguments: Sequence[str]) -> Any:
    parser = _parser()
    options = parser.parse_args(arguments)
    quick = options.quick
    options.seconds = options.seconds or (2 if quick else 3)
    options.warm_up = options.warm_up or (1 if quick else 2)
    options.rounds = options.rounds or (1 if quick else 3)
    options.parts = options.only or list(ALWAYS)
    options.parts += [part for part in WHEN_ASKED if getattr(options, part) and part not in options.parts]
    if ("against" in options.parts) != (options.other is not None):
        parser.error("--only against and --other go together")
    if options.other is not None:
        options.other = options.other.absolute()  # not resolved: a virtual environment is where its link is
    if options.output is None and not quick and not options.only:
        options.output = RESULTS
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="three minutes: fewer shapes, shorter runs; written nowhere"
    )
    parser.add_argument("--million", action="store_true", help="also the memory over a million transfers")
    parser.add_argument("--flights", action="store_true", help="also 1, 2 and 3 batches in flight")
    parser.add_argument("--pools", action="store_true", help="also the baseline with 5, 10 and 20 connections")
    parser.add_argument("--only", choices=PARTS, nargs="+", help="these parts; written nowhere")
    parser.add_argument(
        "--other",
        type=Path,
        metavar="PYTHON",
        help="with --only against: the interpreter of another checkout's virtual environment, with Koshel installed "
        "in it. Both versions take turns over single transfers, which must not fall by more than 5 %%; try "
        "--seconds 2 --rounds 6",
    )
    parser.add_argument("--seconds", type=int, help="of each run (default 3; quick: 2)")
    parser.add_argument("--warm-up", type=int, help="seconds, before the runs of a shape (default 2; quick: 1)")
    parser.add_argument("--rounds", type=int, help="runs of each shape (default 3; quick: 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes of each server (default %(default)s)")
    parser.add_argument("--directory", type=Path, help="where the databases are (default: the system's, for temporary)")
    parser.add_argument("--output", type=Path, help="where the results are written (default bench/RESULTS.md)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
