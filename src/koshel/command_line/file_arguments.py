"""The arguments of the commands that write files and read them."""

import argparse
from collections.abc import Callable
from datetime import date
from typing import Any

from koshel.callers import MAIN_LEDGER
from koshel.command_line import file_commands, times

LAST_MONTH = date(9999, 11, 1)  # what is sold in the demo's month may come back up to ten days after it
WHERE = ("database_url", "data_dir", "schema")  # what every command that uses the database takes


def add_to(commands: Any, command_of: Callable[..., Any]) -> None:
    """Add `export`, `import` and `demo` to the commands; `command_of` makes one, as `cli` makes all."""
    out = commands.add_parser("export", help="write a ledger's rows to a file", allow_abbrev=False)
    add = out.add_subparsers(title="kinds", metavar="KIND", required=True)
    for kind in ("accounts", "transactions", "lines"):
        summary = f"write all {kind} of a ledger to a file, from one snapshot"
        command = command_of(add, kind, file_commands.export, summary)
        command.set_defaults(kind=kind)
        _add_output(command)
    command = command_of(
        add, "statement", file_commands.export_statement, "write the statement of an account to a file"
    )
    command.add_argument("account", metavar="ACCOUNT", help="its id, or @ and its name")
    times.add_to(command)
    _add_output(command)
    into = commands.add_parser("import", help="read a ledger's rows from a file", allow_abbrev=False)
    add = into.add_subparsers(title="kinds", metavar="KIND", required=True)
    for kind in ("accounts", "transactions"):
        summary = f"check a file of {kind}, then import them"
        opens = ("currency", "max_balance") if kind == "accounts" else ()
        command = command_of(add, kind, file_commands.import_, summary, takes=(*WHERE, *opens))
        command.set_defaults(kind=kind)
        command.add_argument("file", metavar="FILE", help="CSV with a header, or JSON Lines")
        command.add_argument("--format", choices=["jsonl", "csv"], help="default: what its name ends in")
        command.add_argument("--ledger", default=MAIN_LEDGER, help=f"the ledger (default {MAIN_LEDGER})")
        command.add_argument("--dry-run", action="store_true", help="check the file, and import nothing")
        meant = "makes names for accounts without one, from their ids: with old: account 17 gets the name old:17"
        command.add_argument("--ids-as", metavar="PREFIX", help=meant)
        if kind == "accounts":
            command.add_argument("--without-balances", action="store_true", help="open the accounts without money")
    command = command_of(commands, "demo", file_commands.demo, "fill a new ledger with a month of a marketplace")
    command.add_argument("--ledger", default="demo", metavar="NAME", help="its name (default demo)")
    command.add_argument("--seed", type=int, default=1, help="the same seed makes the same books (default 1)")
    command.add_argument("--month", type=_month, metavar="YYYY-MM", help="which month (default: the last one)")


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="its name ends in .jsonl, .csv or .parquet; - is standard output",
    )
    command.add_argument("--format", choices=["jsonl", "csv", "parquet"], help="default: what the name ends in")
    command.add_argument("--ledger", default=MAIN_LEDGER, help=f"the ledger (default {MAIN_LEDGER})")


def _month(text: str) -> date:
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no month such as 2026-06") from None
    if first > LAST_MONTH:
        raise argparse.ArgumentTypeError(f"{text!r} is after {LAST_MONTH:%Y-%m}")
    return first
