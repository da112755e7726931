"""The legs of splits in the bodies of requests."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from koshel.http.bodies.sides import Source, Target, side
from koshel.http.bodies.wire import money
from koshel.inputs import legs
from koshel.inputs.legs import LEGS_MAX, Share
from koshel.inputs.texts import Asked
from koshel.inputs.values import Id, Invalid

Part = Annotated[Raw, money("More than zero.")]
Most = Annotated[Raw, money("What it gives at most: more than zero.")]


class SourceLeg(Struct, frozen=True, forbid_unknown_fields=True):
    """One of several sources: it gives its share, or all that remains, or else what it can spend, up to `max`."""

    source_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    share: Share | UnsetType = UNSET
    max: Most | UnsetType = UNSET
    remaining: Annotated[bool, Meta(description="This source gives what the others do not give.")] | UnsetType = UNSET


class TargetLeg(Struct, frozen=True, forbid_unknown_fields=True):
    """One of several targets: it gets its share, or an amount, or all that remains."""

    target_account_id: Id | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    share: Share | UnsetType = UNSET
    amount: Part | UnsetType = UNSET
    remaining: Annotated[bool, Meta(description="This target gets what the others do not get.")] | UnsetType = UNSET


Sources = Annotated[
    list[SourceLeg],
    Meta(min_length=1, max_length=LEGS_MAX, description="In place of one source: each gives a part, in this order."),
]
Targets = Annotated[
    list[TargetLeg], Meta(min_length=1, max_length=LEGS_MAX, description="In place of one target: each gets a part.")
]


GivenT = TypeVar("GivenT", SourceLeg, TargetLeg)
LegT = TypeVar("LegT", legs.Source, legs.Target)


def checked_sources(given: Sequence[SourceLeg] | UnsetType) -> list[legs.Source]:
    """The sources that a body gives, as they are checked. Raises Invalid."""
    return [] if given is UNSET else _each(given, "sources", _source)


def checked_targets(given: Sequence[TargetLeg] | UnsetType) -> list[legs.Target]:
    """The targets that a body gives, as they are checked. Raises Invalid."""
    return [] if given is UNSET else _each(given, "targets", _target)


def _source(leg: SourceLeg) -> legs.Source:
    account = _account(leg.source_account_id, leg.source, "source")
    return legs.Source(account, leg.share or None, leg.max or None, leg.remaining or False)


def _target(leg: TargetLeg) -> legs.Target:
    account = _account(leg.target_account_id, leg.target, "target")
    return legs.Target(account, leg.share or None, leg.amount or None, leg.remaining or False)


def _each(given: Sequence[GivenT], field: str, check: Callable[[GivenT], LegT]) -> list[LegT]:
    checked = []
    for place, leg in enumerate(given):
        try:
            checked.append(check(leg))
        except Invalid as error:
            raise Invalid(f"{field}/{place}/{error.field}", error.reason) from error
    return checked


def _account(id_: int | UnsetType, name: str | UnsetType, side_: str) -> Asked:
    """The account of a leg, by its id or its name: one of the two."""
    asked = side(id_, name, side_)
    if asked is UNSET or asked is None:
        raise Invalid(f"{side_}_account_id", "is required")
    return asked
