"""From when to when: the options of all commands that show or write what happened between two times."""

import argparse
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from koshel.command_line.commands import CommandError
from koshel.inputs import moments
from koshel.inputs.values import Invalid

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def add_to(command: argparse.ArgumentParser) -> None:
    """The options `--since` and `--until`."""
    command.add_argument(
        "--since", type=_moment, metavar="TIME", help="the first time: a time with its offset, or a day of UTC"
    )
    command.add_argument("--until", type=_moment, metavar="TIME", help="the first time that is too late")


def between(options: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """What was given. Raises CommandError."""
    since, until = options["since"], options["until"]
    if since is not None and until is not None and since > until:
        raise CommandError("--since must not be after --until")
    return since, until


def _moment(text: str) -> datetime:
    try:
        return moments.moment(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text, "it")
    except Invalid as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error.reason}, or a day such as 2027-01-31") from None
