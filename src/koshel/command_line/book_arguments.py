"""The arguments of the commands that show the books: whose they are, from when to when, and how to show them."""

import argparse
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from koshel.callers import MAIN_LEDGER
from koshel.command_line import book_commands
from koshel.inputs import moments
from koshel.inputs.values import Invalid

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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
    shown.add_argument(
        "--since", type=_moment, metavar="TIME", help="the first time: a time with its offset, or a day of UTC"
    )
    shown.add_argument("--until", type=_moment, metavar="TIME", help="the first time that is too late")
    forms = shown.add_mutually_exclusive_group()
    forms.add_argument("--plot", metavar="FILE", help="draw a picture instead; the name ends in .svg or .png")
    return forms


def _moment(text: str) -> datetime:
    try:
        return moments.moment(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text, "it")
    except Invalid as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error.reason}, or a day such as 2027-01-31") from None
