"""What limits by time may be, over HTTP and in a program."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from koshel.core.turnovers import LENGTHS, Limit
from koshel.inputs import values
from koshel.inputs.values import Invalid

LIMITS_MAX = len(LENGTHS)  # of an account: one of each length

GivenLimit: TypeAlias = Limit | Mapping[str, Any]  # {"per": "1d", "out": "500.00", "in": "2000.00"}

_PERIODS = ", ".join(f'"{per}"' for per in sorted(LENGTHS))


def limits(given: Sequence[GivenLimit] | None, field: str = "limits") -> tuple[Limit, ...]:
    """The limits; None: there are none. Raises Invalid."""
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise Invalid(field, "must be an array")
    if len(given) > LIMITS_MAX:
        raise Invalid(field, f"must have at most {LIMITS_MAX} members")
    taken: list[Limit] = []
    for index, one in enumerate(given):
        limit = _limit(one, f"{field}/{index}")
        if any(limit.per == other.per for other in taken):
            raise Invalid(f"{field}/{index}/per", f'must not come twice: "{limit.per}"')
        taken.append(limit)
    return tuple(taken)


def _limit(given: GivenLimit, field: str) -> Limit:
    if isinstance(given, Limit):
        given = {"per": given.per, "out": given.out, "in": given.in_}
    if not isinstance(given, Mapping):
        raise Invalid(field, "must be an object")
    for name in given:
        if name not in {"per", "out", "in"}:
            raise Invalid(f"{field}/{name}", "is not a field")
    per = next((one for one in LENGTHS if one == given.get("per")), None)
    if per is None:
        raise Invalid(f"{field}/per", f"must be one of {_PERIODS}" if "per" in given else "is required")
    out, in_ = (values.ceiling(given.get(way), f"{field}/{way}") for way in ("out", "in"))
    if out is None and in_ is None:
        raise Invalid(field, "must have out, or in, or both")
    return Limit(per, out, in_)
