"""Lengths of time as people write them: 90d, 24h, 30m, 45s."""

import re

LONGEST_S = 100 * 365 * 24 * 3600

_DURATION = re.compile(r"([0-9]{1,10})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(text: str) -> int:
    """The seconds of such a text. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    found = int(match[1]) * _SECONDS[match[2]] if match else -1
    if not 0 <= found <= LONGEST_S:
        message = f"{text!r} is not a length of time such as 90d, 24h, 30m or 45s, of at most a hundred years"
        raise ValueError(message)
    return found
