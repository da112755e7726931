"""The Prefer header (RFC 7240): whether a caller would rather not wait for the answer."""

import re
from collections.abc import Iterable

from msgspec import Struct

WAIT_MAX_S = 60

_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')  # a comma between quotes parts nothing
_WAIT = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?', re.IGNORECASE)


class Preference(Struct, frozen=True):
    """What of it Koshel knows; the rest is passed over, as the RFC has it."""

    respond_async: bool = False
    wait_s: int = 0

    @property
    def applied(self) -> str:
        """The value of Preference-Applied."""
        return f"respond-async, wait={self.wait_s}" if self.wait_s else "respond-async"


NONE = Preference()


def parse(headers: Iterable[str]) -> Preference:
    """The preference that these headers' values state; of one that comes twice the first counts."""
    respond_async, wait_s = False, None
    for part in _PART.findall(",".join(headers)):
        preference = part.partition(";")[0].strip()
        if preference.lower() == "respond-async":
            respond_async = True
        elif (match := _WAIT.fullmatch(preference)) and wait_s is None:
            wait_s = min(int(match[1]), WAIT_MAX_S)
    return Preference(respond_async, wait_s or 0)
