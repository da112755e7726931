"""The arguments of the commands that show the books: whose they are, and how to show them."""

import argparse
from collections.abc import Callable
from typing import Any

from koshel.callers import MAIN_LEDGER
from koshel.command_line import book_commands, times


def add_to(commands: Any, command_of: Callable[..., Any]) -> None:
    """Add `statement` and `volume` to the commands; `command_of` makes one, as `cli` makes all."""
    summary = "show the statement of an account, as a table or a picture"
    shown = command_of(commands, "statement", book_commands.statement, summary)
    shown.add_argument("account", help="its id, or @ and its name")
    _add(shown)
    summary = "show how much has moved in a ledger, as a table or a picture"
    shown = command_of(commands, "volume", book_commands.volume, summary)
    meant = "some of name_prefix:N, currency, kind and day, with commas between them (default currency,kind,day)"
    shown.add_argument("--group-by", default="currency,kind,day", metavar="WHAT", help=meant)
    forms = _add(shown)
    forms.add_argument("--json", action="store_true", help="print JSON, as GET /ledger/volume answers it")
    forms.add_argument("--csv", action="store_true", help="print CSV")


def _add(shown: argparse.ArgumentParser) -> Any:
    """The options of both; returns those of which only one may be given."""
    shown.add_argument("--ledger", default=MAIN_LEDGER, help=f"the ledger (default {MAIN_LEDGER})")
    times.add_to(shown)
    forms = shown.add_mutually_exclusive_group()
    forms.add_argument("--plot", metavar="FILE", help="draw a picture instead; the name ends in .svg or .png")
    return forms
