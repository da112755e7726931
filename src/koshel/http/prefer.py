"""The Prefer header (RFC 7240): whether a caller would rather not wait for the answer."""

from collections.abc import Iterable
from urllib.request import parse_http_list

from msgspec import Struct

WAIT_MAX_S = 60
LENGTH_MAX = 1_024  # of all its lines together; one that is longer is passed over, as RFC 7240 lets a preference be


class Preference(Struct, frozen=True):
    """The preferences that Koshel knows; others are passed over, as the RFC has it."""

    respond_async: bool = False
    wait_s: int = 0

    @property
    def applied(self) -> str:
        """The value of Preference-Applied."""
        return f"respond-async, wait={self.wait_s}" if self.wait_s else "respond-async"


NONE = Preference()


def parse(headers: Iterable[str]) -> Preference:
    """The preference that these headers' values state; of one that comes twice the first counts."""
    joined = ",".join(headers)
    if len(joined) > LENGTH_MAX:
        return NONE
    respond_async, wait_s = False, None
    for part in parse_http_list(joined):  # a comma between quotes parts nothing
        preference = part.partition(";")[0].strip().lower()
        if preference == "respond-async":
            respond_async = True
        elif wait_s is None:
            wait_s = _wait_s(preference)
    return Preference(respond_async, wait_s or 0)


def _wait_s(preference: str) -> int | None:
    """The seconds of `wait=N`, with or without quotes; None of anything else."""
    name, _, value = (side.strip() for side in preference.partition("="))
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    digits = value[1:-1] if quoted else value
    if name != "wait" or not (digits.isascii() and digits.isdigit()):
        return None
    return min(int(digits), WAIT_MAX_S)
