"""What a caller may say of a transaction that moves no money: over HTTP, and in a program."""

from datetime import date
from functools import partial
from typing import Annotated, Any, TypedDict

from msgspec import Meta, Struct, field

from koshel.core.labelled import Metadata
from koshel.inputs import values
from koshel.inputs.values import PRINTED, PRINTED_PATTERN, Notes

REFERENCE_MAX = 255  # characters
DESCRIPTION_MAX = 500

_REFERENCE = "What it is about, as you name it: an order, an invoice. It need not be unique. What follows keeps it."
_printed = partial(Meta, min_length=1, pattern=PRINTED_PATTERN, extra=PRINTED)
Reference = Annotated[str, _printed(max_length=REFERENCE_MAX, description=_REFERENCE)]
Description = Annotated[str, _printed(max_length=DESCRIPTION_MAX, description="In words.")]
EffectiveOn = Annotated[date, Meta(description="The day that it counts for, if that is not its own day in UTC.")]


class Labels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bodies of all requests that make a transaction have these fields."""

    metadata: Notes = field(default_factory=dict)
    reference: Reference | None = None
    description: Description | None = None
    effective_on: EffectiveOn | None = None


class GivenLabels(TypedDict, total=False):
    """The same, as a program gives it: what is left out or None is not said."""

    metadata: Metadata | None
    reference: str | None
    description: str | None
    effective_on: date | str | None


def given(labels: GivenLabels) -> dict[str, Any]:
    """Of the labels that a program gives, those that say something, the day as a date. Raises Invalid."""
    said: dict[str, Any] = {name: value for name, value in labels.items() if value is not None}
    if "effective_on" in said:
        said["effective_on"] = values.fields({"effective_on": said["effective_on"]}, Labels).effective_on
    return said
