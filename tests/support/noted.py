"""Changes of accounts, and of the notes on transactions, to be drawn at random."""

from random import Random
from typing import Any

from koshel.core.labelled import METADATA_MAX
from koshel.core.notes import Annotate

NOTES: tuple[dict[str, Any], ...] = (
    {},
    {"description": "rent"},
    {"description": None},
    {"metadata": {}},
    {"metadata": {"of": "new"}, "description": "rent"},
    *({"metadata_patch": patch} for patch in ({"of": None}, {"of": "new", "to": "2"}, dict.fromkeys("abc", "x"))),
    *({"metadata_patch": {str(number): "" for number in range(count)}} for count in (METADATA_MAX - 1, METADATA_MAX)),
)


def annotation(dice: Random, id_: int, ledger_id: int) -> Annotate:
    """A change of the notes on this transaction."""
    return Annotate(ledger_id, id_, **dice.choice(NOTES))
