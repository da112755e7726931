"""What is shown of a queued transaction besides: of a split its legs, of an exchange what the target gets."""

from typing import Any

from msgspec import UNSET, UnsetType, to_builtins

from koshel.core.exchanging import Exchange
from koshel.core.model import Queued
from koshel.core.money import plain


def legs(queued: Queued, name: str) -> list[dict[str, Any]] | UnsetType:
    """The legs of a queued split, as they were asked for."""
    given = getattr(queued.command.command, name, None)
    shown = [{field: value for field, value in leg.items() if value} for leg in to_builtins(given or ())]
    return shown or UNSET


def exchange(queued: Queued) -> dict[str, str] | UnsetType:
    """The rate of a queued exchange, or the amount that its target gets: whichever was given."""
    asked = queued.command.command
    if not isinstance(asked, Exchange):
        return UNSET
    given = {"rate": asked.rate, "target_amount": asked.target_amount}
    return {name: plain(number) for name, number in given.items() if number is not None}
