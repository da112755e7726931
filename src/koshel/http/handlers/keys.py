"""API keys: the bodies of requests and replies, their handlers and their routes; each is of the caller's own ledger.

A key is in the answer to the request that makes it, and nowhere else. A replay could not show it again, so none of
these routes takes an Idempotency-Key.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.callers import Scope
from koshel.config.durations import LONGEST_S
from koshel.db.access import api_keys
from koshel.db.access.api_keys import KeyPosition, KeyRow, LastAdminKey, NotUsable, Status
from koshel.http.bodies.wire import Time, time
from koshel.http.call import Call, Reply, json
from koshel.http.pages import Lists, Next, NoFilters, PageQuery
from koshel.http.problems import Failure, printable
from koshel.http.route import POST, Route
from koshel.inputs import texts
from koshel.inputs.values import Id, Invalid, KeyName

OVERLAP_S = 24 * 3_600
READ = ("database-unavailable", "overloaded")
CHANGE = (*(one for one in POST if one != "idempotency-key-reused"), "key-not-found")


class KeyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a key is made with."""

    scope: Scope
    name: KeyName = ""
    expires_in: Annotated[int, Meta(ge=1, le=LONGEST_S, description="Seconds.")] | UnsetType = UNSET


class RotationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long both keys are good."""

    overlap: Annotated[int, Meta(ge=0, le=LONGEST_S, description="Seconds until the old key expires.")] = OVERLAP_S


class Key(Struct, frozen=True):
    """An API key, without the key itself."""

    id: Id
    name: str
    scope: Scope
    status: Status
    ctime: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Annotated[Time | None, Meta(description="To the minute.")]


class NewKey(Key, frozen=True):
    """An API key that was just made."""

    key: Annotated[str, Meta(description="The key itself. It is not kept, and not shown again.")]


class KeyPage(Struct, frozen=True):
    """Some keys, the newest first."""

    items: list[Key]
    next: Next


_KEYS = Lists(NoFilters, KeyPosition)


async def create_key(call: Call) -> Reply:
    """POST /key."""
    body: KeyRequest = call.body
    lasts_s = None if body.expires_in is UNSET else body.expires_in
    new = await call.reads.transact(
        [call.caller.ledger_id],
        lambda connection, q: api_keys.add(
            connection, q, call.caller.ledger_id, body.scope, name=body.name, lasts_s=lasts_s
        ),
    )
    return _made(new)


async def list_keys(call: Call) -> Reply:
    """GET /key."""
    path, ledger_id = "/key", call.caller.ledger_id
    asked = _KEYS.asked(call, path, NoFilters())
    page = await call.reads.look_up(
        ledger_id, lambda connection, q: api_keys.listed(connection, q, ledger_id, asked[1])
    )
    return _KEYS.reply(call, path, asked, page, [Key(*_fields(one)) for one in page.items])


async def get_key(call: Call) -> Reply:
    """GET /key/{id}."""
    key_id = _key_id(call)
    ledger_id = call.caller.ledger_id
    found = await call.reads.look_up(ledger_id, lambda connection, q: api_keys.get(connection, q, ledger_id, key_id))
    if found is None:
        raise key_not_found(key_id)
    return json(200, Key(*_fields(found)))


async def revoke_key(call: Call) -> Reply:
    """DELETE /key/{id}."""
    key_id = _key_id(call)
    try:
        found = await call.reads.transact(
            [call.caller.ledger_id], lambda connection, q: api_keys.revoke(connection, q, call.caller.ledger_id, key_id)
        )
    except LastAdminKey as error:
        detail = f"No other key of scope admin of the ledger is valid as long as key {key_id}; make another one first."
        raise Failure("last-admin-key", detail, key_id=key_id) from error
    if found is None:
        raise key_not_found(key_id)
    return Reply(204, b"")


async def rotate_key(call: Call) -> Reply:
    """POST /key/{id}/rotate."""
    key_id, overlap_s = _key_id(call), call.body.overlap
    try:
        new = await call.reads.transact(
            [call.caller.ledger_id],
            lambda connection, q: api_keys.rotate(connection, q, call.caller.ledger_id, key_id, overlap_s=overlap_s),
        )
    except NotUsable as error:
        raise Failure("key-not-usable", f"Key {key_id} was revoked or has expired.", key_id=key_id) from error
    if new is None:
        raise key_not_found(key_id)
    return _made(new)


def new_key(new: api_keys.NewKey) -> NewKey:
    """The reply's form of a key that was just made."""
    return NewKey(*_fields(new.row), new.text)


def key_not_found(key_id: int | str) -> Failure:
    """No such key, or it is another ledger's."""
    named = {"key_id": key_id} if isinstance(key_id, int) else {}
    return Failure("key-not-found", f"There is no key {printable(str(key_id), 100)}.", **named)


def _key_id(call: Call) -> int:
    try:
        return texts.identifier(call.path["id"])
    except Invalid:
        raise key_not_found(call.path["id"]) from None


def _made(new: api_keys.NewKey) -> Reply:
    return json(201, new_key(new), {"Location": f"/key/{new.row.id}"})


def _fields(row: KeyRow) -> tuple[int, str, Scope, Status, str, str | None, str | None, str | None]:
    moments = (row.expires_at, row.revoked_at, row.last_used_at)
    expires_at, revoked_at, last_used_at = (None if one is None else time(one) for one in moments)
    return row.id, row.name, row.scope, row.status, time(row.ctime), expires_at, revoked_at, last_used_at


ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/key",
        "Make an API key",
        "create_key",
        create_key,
        KeyRequest,
        {201: NewKey},
        tuple(one for one in CHANGE if one != "key-not-found"),
        scope=Scope.ADMIN,
    ),
    Route(
        "GET",
        "/key",
        "List API keys",
        "list_keys",
        list_keys,
        None,
        {200: KeyPage},
        READ,
        query=PageQuery,
        scope=Scope.ADMIN,
    ),
    Route(
        "GET",
        "/key/{id}",
        "Read an API key",
        "get_key",
        get_key,
        None,
        {200: Key},
        (*READ, "key-not-found"),
        scope=Scope.ADMIN,
    ),
    Route(
        "DELETE",
        "/key/{id}",
        "Revoke an API key",
        "revoke_key",
        revoke_key,
        None,
        {204: ""},
        (*READ, "outcome-unknown", "key-not-found", "last-admin-key"),
        said={204: "It is worthless, in every worker within a second."},
        scope=Scope.ADMIN,
    ),
    Route(
        "POST",
        "/key/{id}/rotate",
        "Make an API key in place of another one",
        "rotate_key",
        rotate_key,
        RotationRequest,
        {201: NewKey},
        (*CHANGE, "key-not-usable"),
        scope=Scope.ADMIN,
    ),
)
