"""What a client would rather have: the weights in its `Accept`."""

import re
from collections.abc import Mapping, Sequence

_WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")  # of a media type


def weights(headers: Mapping[str, str], media_types: Sequence[str]) -> Mapping[str, float]:
    """How much it wants each of these media types, from 0 to 1; one that it does not name has 0."""
    found = dict.fromkeys(media_types, 0.0)
    for one in headers.get("Accept", "").split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        given = [_WEIGHT.fullmatch(parameter) for parameter in parameters]
        found[name] = next((float(match[1]) for match in given if match), 1.0)
    return found
