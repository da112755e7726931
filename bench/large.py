"""`make bench-large`: pages, balances, statements, transfers and files of large books; all is on loopback."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.books import ACCOUNTS, Databases, open_databases, prove
from bench.large_books import Size, make
from bench.large_files import exported, imported
from bench.large_reads import Look, looks
from bench.large_report import Measured, render
from bench.large_writes import BATCHES, SINGLES, Books, sustained
from bench.servers import koshel

RESULTS = Path(__file__).with_name("RESULTS-large.md")


def main(arguments: Sequence[str]) -> int:
    """Make the books, measure, print, and write down."""
    options = _options(arguments)
    size = Size(options.accounts, options.transactions)
    with (
        tempfile.TemporaryDirectory(prefix="koshel-bench-", dir=options.directory) as directory,
        open_databases(Path(directory)) as databases,
    ):
        text = render(_measured(databases, size, options, Path(directory)))
    print(text)
    if options.output is not None:
        options.output.write_text(text)
    return 0


def _measured(databases: Databases, size: Size, options: Any, directory: Path) -> Measured:
    described, start = machine.description(directory), time.monotonic()
    url = make(databases, "large", size)
    load_s = time.monotonic() - start
    print(f"loaded in {load_s:,.0f} s", flush=True)
    with koshel(url, 1, directory) as server:
        read: list[Look] = looks(server.port, size, options.asks)
    print("read", flush=True)
    with databases.fresh("small") as (small,):
        books = Books(small, ACCOUNTS), Books(url, size.accounts, size.hub)
        settled = sustained(*books, options.sustained, directory, SINGLES)
        batched = sustained(*books, options.sustained / 3, directory, BATCHES)
        prove(small)
    print("settled", flush=True)
    out = exported(url, directory)
    with databases.fresh("imported") as (other,):
        brought = imported(other, directory)
        prove(other)
    if options.prove:
        prove(url)
    words = ["..." if "/" in word else word for word in sys.argv[1:]]
    return Measured(
        " ".join(["python -m bench.large", *words]),
        size,
        load_s,
        read,
        settled,
        batched,
        out,
        brought,
        [*described, *databases.settings()],
        options.prove,
    )


def _options(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__, allow_abbrev=False)
    parser.add_argument("--accounts", type=int, default=1_000_000, help="even (default 1,000,000)")
    parser.add_argument("--transactions", type=int, default=10_000_000, help="default 10,000,000")
    parser.add_argument(
        "--sustained",
        type=float,
        default=300,
        help="seconds of transfers in each books, and a third of that of batches (default 300)",
    )
    parser.add_argument("--asks", type=int, default=200, help="requests of each kind (default 200)")
    parser.add_argument("--prove", action="store_true", help="verify the large books at the end")
    parser.add_argument(
        "--directory", type=Path, help="where the database is made (default: where temporary files are)"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help=f"default {RESULTS.name}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
