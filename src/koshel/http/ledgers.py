"""Ledgers: the bodies of requests and replies, their handlers and their routes. Who makes one gets its first key."""

from collections.abc import Sequence

from msgspec import Struct

from koshel.callers import MAIN_LEDGER_ID, Scope
from koshel.db import ledgers
from koshel.db.ledgers import NameTaken
from koshel.http.call import Call, Reply, json
from koshel.http.keys import READ, NewKey, new_key
from koshel.http.problems import Failure, validation_failed
from koshel.http.route import POST, Route
from koshel.http.wire import Time, time
from koshel.values import LedgerName

_CHANGE = (*(one for one in POST if one != "idempotency-key-reused"), "ledger-name-taken")


class LedgerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a ledger is called."""

    ledger: LedgerName


class Ledger(Struct, frozen=True):
    """A ledger, by its name."""

    ledger: str
    ctime: Time


class NewLedger(Ledger, frozen=True):
    """A ledger that was just made, and a key of scope admin for it."""

    key: NewKey


async def get_ledger(call: Call) -> Reply:
    """GET /ledger."""
    found = await call.service.engine.store.transact(
        [call.caller.ledger_id], lambda connection, q: ledgers.get(connection, q, call.caller.ledger_id)
    )
    return json(200, Ledger(found.name, time(found.ctime)))


async def create_ledger(call: Call) -> Reply:
    """POST /ledger."""
    name = call.body.ledger
    try:
        made, key = await call.service.engine.store.transact(
            [call.caller.ledger_id], lambda connection, q: ledgers.add_with_key(connection, q, name)
        )
    except NameTaken as error:
        raise _taken(name) from error
    return json(201, NewLedger(made.name, time(made.ctime), new_key(key)))


async def rename_ledger(call: Call) -> Reply:
    """PATCH /ledger."""
    ledger_id, name = call.caller.ledger_id, call.body.ledger
    if ledger_id == MAIN_LEDGER_ID and name != call.caller.ledger:
        raise validation_failed("/ledger", f"the ledger {call.caller.ledger} keeps its name")
    try:
        renamed = await call.service.engine.store.transact(
            [call.caller.ledger_id], lambda connection, q: ledgers.rename(connection, q, ledger_id, name)
        )
    except NameTaken as error:
        raise _taken(name) from error
    return json(200, Ledger(renamed.name, time(renamed.ctime)))


def _taken(name: str) -> Failure:
    return Failure("ledger-name-taken", f"There is a ledger {name} already.", ledger=name)


ROUTES: Sequence[Route] = (
    Route("GET", "/ledger", "Read the ledger of the key", "get_ledger", get_ledger, None, {200: Ledger}, READ),
    Route(
        "POST",
        "/ledger",
        "Make a ledger, and its first API key",
        "create_ledger",
        create_ledger,
        LedgerRequest,
        {201: NewLedger},
        _CHANGE,
        scope=Scope.ADMIN,
        is_for_operator=True,
    ),
    Route(
        "PATCH",
        "/ledger",
        "Give the ledger of the key another name",
        "rename_ledger",
        rename_ledger,
        LedgerRequest,
        {200: Ledger},
        _CHANGE,
        scope=Scope.ADMIN,
    ),
)
