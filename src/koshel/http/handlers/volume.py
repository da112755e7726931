"""How much has moved in a ledger: the query, what is answered, its handler and its route."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.db.reading import volume
from koshel.db.reading.volume import TRANSACTIONS_MAX, VOLUMES_MAX, TooMuch
from koshel.http.bodies.volume_bodies import LedgerVolume, LedgerVolumes, shown
from koshel.http.call import Call, Reply, json
from koshel.http.handlers.lists import Since, Until, between
from koshel.http.problems import Failure, parameter_invalid
from koshel.http.route import Route
from koshel.inputs.values import END, Invalid
from koshel.library.history import ARCHIVED
from koshel.library.volumes import TOO_LARGE, facts, grouping

AT_ONCE = 500  # volumes: while they are made nothing else is done
_BY = "(name_prefix:[1-9][0-9]?|currency|kind|day)"
GroupBy = Annotated[
    str,
    Meta(
        pattern=f"^{_BY}(,{_BY}){{0,3}}{END}",
        description="Some of `name_prefix:2` (the first two parts of the names of accounts), `currency`, `kind` and"
        " `day` (in UTC), each once. Each currency is added up by itself always.",
        extra={"reason": "must be some of name_prefix:N, currency, kind and day, with N from 1 to 99"},
    ),
]


class VolumeQuery(Struct, frozen=True):
    """From when on, and before when, and by what it is grouped."""

    group_by: GroupBy | UnsetType = UNSET
    since: Since | UnsetType = UNSET
    until: Until | UnsetType = UNSET


async def get_volume(call: Call) -> Reply:
    """GET /ledger/volume."""
    query: VolumeQuery = call.query
    since, until = between(query)
    try:
        wanted = grouping([] if query.group_by is UNSET else query.group_by.split(","))
    except Invalid as error:
        raise parameter_invalid(error.field, error.reason) from None
    ledger_id, limits = call.caller.ledger_id, call.limits
    assert limits is not None
    slot = limits.sums.take(call.caller.share)
    look = partial(volume.of_ledger, ledger_id=ledger_id, grouping=wanted, since=since, until=until)
    try:
        found = await call.reads.look_up(ledger_id, look)
    except TooMuch as error:
        raise _too_large(error) from None
    finally:
        del slot  # an exception may keep what its frames had for longer
    made = list[LedgerVolume]()
    for begin in range(0, len(found), AT_ONCE):
        made += shown(found[begin : begin + AT_ONCE], wanted)
        await asyncio.sleep(0)
    return json(200, LedgerVolumes(made))


def _too_large(error: TooMuch) -> Failure:
    said = facts(error)
    if error.what == "volumes":
        detail = f"The answer would have more than {VOLUMES_MAX} volumes; group by less, or ask for a shorter time."
    else:
        until = said.get("fits_until")
        narrow = "ask for another time" if until is None else f"with the same beginning and until={until} it fits"
        detail = f"More than {TRANSACTIONS_MAX} transactions have moved money in this time; {narrow}."
    return Failure(TOO_LARGE, detail, **said)


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/ledger/volume",
        "Read how much has moved in the ledger of the key",
        "get_volume",
        get_volume,
        None,
        {200: LedgerVolumes},
        ("database-unavailable", "overloaded", ARCHIVED, TOO_LARGE),
        query=VolumeQuery,
    ),
)
