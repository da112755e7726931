"""How much has moved in a ledger, for a program; and by what it may be grouped.

for one in await ledger.volume(["kind", "day"], since="2026-11-01T00:00:00Z"):
print(one.day, one.kind, one.total, one.currency)
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from koshel.asking.requests import Requests
from koshel.db.errors import HistoryArchived
from koshel.db.reading import volume
from koshel.db.reading.volume import TRANSACTIONS_MAX, VOLUMES_MAX, Grouping, TooMuch, Volume
from koshel.db.reads import Reads
from koshel.errors import Refused
from koshel.inputs import moments
from koshel.inputs.moments import Moment
from koshel.inputs.values import Invalid
from koshel.library import history
from koshel.library.life import Life

CURRENCY: Final = "currency"
NAME_PARTS_MAX = 99
GROUP_BY = ("name_prefix:N", CURRENCY, "kind", "day")
TOO_LARGE = "volume-too-large"

_REASON = f"must be some of {', '.join(GROUP_BY)}, with N from 1 to {NAME_PARTS_MAX}"
_NAME_PREFIX = re.compile(r"name_prefix:([1-9][0-9]?)")


class Volumes:
    """What can be asked of the money that moved in a ledger; who inherits it says over what."""

    requests: Requests
    _reads: Reads
    _life: Life

    async def volume(
        self, group_by: Sequence[str] = (), *, since: Moment | None = None, until: Moment | None = None
    ) -> Sequence[Volume]:
        """What has moved from `since` on and before `until`, from one snapshot.

        `group_by`: some of `name_prefix:N`, `currency`, `kind` and `day`. Each currency is added up by itself always.
        Raises Refused: `volume-too-large` if it is more than may be read at once, and `history-archived` if some of it
        may be archived; Invalid; StoreError.
        """
        self._life.check()
        if not isinstance(group_by, list | tuple) or not all(isinstance(name, str) for name in group_by):
            raise Invalid("group_by", _REASON)
        wanted = grouping(group_by)
        begin, end = moments.between(since, until)
        ledger_id = self.requests.ledger_id
        look = partial(volume.of_ledger, ledger_id=ledger_id, grouping=wanted, since=begin, until=end)
        try:
            return await self._reads.look_up(ledger_id, look)
        except TooMuch as error:
            raise Refused(TOO_LARGE, facts(error)) from None
        except HistoryArchived as error:
            raise history.refused(error) from None


def grouping(names: Sequence[str]) -> Grouping:
    """By what is grouped. Raises Invalid for a name that is not known, or comes twice."""
    matches = [_NAME_PREFIX.fullmatch(str(name)) for name in names]
    known = ["name_prefix" if match else name for name, match in zip(names, matches, strict=True)]
    if not set(known) <= {"name_prefix", CURRENCY, "kind", "day"}:
        raise Invalid("group_by", _REASON)
    if len(set(known)) < len(known):
        raise Invalid("group_by", "must have each of them once")
    parts = next((int(match[1]) for match in matches if match), 0)
    return Grouping(name_parts=parts, by_kind="kind" in known, by_day="day" in known)


def facts(error: TooMuch) -> dict[str, str | int]:
    """What the problem says of itself."""
    until = {} if error.fits_until is None else {"fits_until": moments.text(error.fits_until)}
    return {"volumes_max": VOLUMES_MAX, "transactions_max": TRANSACTIONS_MAX, **until}
