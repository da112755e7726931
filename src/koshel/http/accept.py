"""What a client would rather have: how much its `Accept` wants each media type (RFC 9110, section 12.5.1).

Several lines of the header are one list. Of the ranges that a type is in, the narrowest says how much it is wanted:
`text/csv`, else `text/*`, else `*/*`. Parameters of a range other than `q` are passed over.
"""

import re
from typing import NamedTuple

from multidict import MultiMapping

_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class Wanted(NamedTuple):
    """How much a media type is wanted, from 0 to 1, and how narrow the range is that says so. They are compared so."""

    weight: float = 0.0
    narrow: int = 0  # 2: the type itself; 1: all of its kind; 0: all there are, or nothing says it


def wanted(headers: MultiMapping[str], *media_types: str) -> list[Wanted]:
    """How much the client wants each of these media types."""
    weights: dict[str, float] = {}
    for one in joined(headers).split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        given = [_WEIGHT.fullmatch(parameter) for parameter in parameters]
        weights.setdefault(name, next((float(match[1]) for match in given if match), 1.0))
    return [_wanted(weights, media_type) for media_type in media_types]


def joined(headers: MultiMapping[str]) -> str:
    """The whole header, as one list."""
    return ", ".join(headers.getall("Accept", ()))


def _wanted(weights: dict[str, float], media_type: str) -> Wanted:
    ranges = {media_type: 2, f"{media_type.partition('/')[0]}/*": 1, "*/*": 0}
    return next((Wanted(weights[name], narrow) for name, narrow in ranges.items() if name in weights), Wanted())
