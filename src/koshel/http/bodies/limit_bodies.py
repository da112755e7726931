"""Limits by time in the bodies of requests."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from koshel.core.turnovers import Period
from koshel.http.bodies.wire import money
from koshel.inputs.limits_by_time import LIMITS_MAX, GivenLimit

Most = Annotated[Raw, money("Zero or more; null, or left out: any amount.", nullable=True)]


class LimitRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How much may go out of an account, and come in, in any window of this length: one of the two at least."""

    per: Period
    out: Most | UnsetType = UNSET
    in_: Most | UnsetType = field(default=UNSET, name="in")

    def given(self) -> GivenLimit:
        """As a program gives it."""
        ways = {"out": self.out, "in": self.in_}
        return {"per": self.per, **{way: most for way, most in ways.items() if most is not UNSET}}


LimitRequests = Annotated[
    list[LimitRequest],
    Meta(max_length=LIMITS_MAX, description="By time, in the account's currency; one of each length."),
]


def given(limits: Sequence[LimitRequest] | None) -> list[GivenLimit]:
    """The limits of a body as a program gives them."""
    return [one.given() for one in limits or ()]
