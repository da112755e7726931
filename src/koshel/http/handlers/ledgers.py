"""Ledgers: the bodies of requests and replies, their handlers and their routes. Who makes one gets its first key."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from koshel.callers import MAIN_LEDGER_ID, Scope
from koshel.core.money import plain
from koshel.db.access import ledgers
from koshel.db.access.ledgers import LedgerRow, NameTaken
from koshel.db.queries import Queries
from koshel.db.reading import totals
from koshel.db.reading.totals import Totals
from koshel.http.authorization import for_operator
from koshel.http.bodies.wire import Time, time
from koshel.http.call import Call, Reply, json
from koshel.http.handlers.keys import READ, NewKey, new_key
from koshel.http.problems import Failure, validation_failed
from koshel.http.route import POST, Route
from koshel.inputs.values import LedgerName

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_CHANGE = (*(one for one in POST if one != "idempotency-key-reused"), "ledger-name-taken")


class LedgerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a ledger is called."""

    ledger: LedgerName


class Ledger(Struct, frozen=True):
    """A ledger, by its name."""

    ledger: str
    ctime: Time


class CurrencyTotals(Struct, frozen=True):
    """What a ledger has in one currency: balance = paid_in - paid_out, always.

    The latter three are left out if transactions were archived.
    """

    currency: str
    accounts: Annotated[int, Meta(description="How many accounts.")]
    balance: Annotated[str, Meta(description="The sum of their balances.")]
    held: str
    paid_in: Annotated[str, Meta(description="How much has come in from outside.")] | UnsetType = UNSET
    paid_out: Annotated[str, Meta(description="How much has left.")] | UnsetType = UNSET
    balanced: (
        Annotated[
            bool,
            Meta(description="Whether `balance` is `paid_in` less `paid_out`; else `koshel verify` says where not."),
        ]
        | UnsetType
    ) = UNSET


class LedgerTotals(Ledger, frozen=True):
    """A ledger with what is in it, as it was at one moment."""

    currencies: list[CurrencyTotals]
    history_archived: (
        Annotated[bool, Meta(description="True if transactions were archived, so that sums over all are left out.")]
        | UnsetType
    ) = UNSET


class NewLedger(Ledger, frozen=True):
    """A ledger that was just made, and a key of scope admin for it."""

    key: NewKey


async def get_ledger(call: Call) -> Reply:
    """GET /ledger."""
    ledger_id = call.caller.ledger_id
    assert call.limits is not None
    slot = call.limits.sums.take(call.caller.share)
    try:
        found, sums = await call.reads.look_up(ledger_id, partial(_totals, ledger_id=ledger_id))
    finally:
        del slot  # an exception may keep what its frames had for longer
    is_archived = True if any(one.balanced is None for one in sums) else UNSET
    return json(200, LedgerTotals(found.name, time(found.ctime), [_shown(one) for one in sums], is_archived))


async def _totals(connection: "AnyConnection", q: Queries, ledger_id: int) -> tuple[LedgerRow, Sequence[Totals]]:
    return await ledgers.get(connection, q, ledger_id), await totals.of_ledger(connection, q, ledger_id)


def _shown(one: Totals) -> CurrencyTotals:
    known = CurrencyTotals(one.currency, one.accounts, plain(one.balance), plain(one.held))
    if one.paid_in is None or one.paid_out is None or one.balanced is None:
        return known
    return replace(known, paid_in=plain(one.paid_in), paid_out=plain(one.paid_out), balanced=one.balanced)


async def create_ledger(call: Call) -> Reply:
    """POST /ledger."""
    name = call.body.ledger
    try:
        made, key = await call.reads.transact(
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
    authentication = call.service.authentication
    if ledger_id != MAIN_LEDGER_ID and authentication is not None and authentication.takes_jwts:
        # A JWT names its ledger: who could choose that name would get the JWTs of others.
        raise for_operator(
            f"JWTs name ledgers here, so only the operator renames one: `koshel ledger rename OLD {name}`."
        )
    try:
        renamed = await call.reads.transact(
            [call.caller.ledger_id], lambda connection, q: ledgers.rename(connection, q, ledger_id, name)
        )
    except NameTaken as error:
        raise _taken(name) from error
    return json(200, Ledger(renamed.name, time(renamed.ctime)))


def _taken(name: str) -> Failure:
    return Failure("ledger-name-taken", f"There is a ledger {name} already.", ledger=name)


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/ledger",
        "Read the ledger of the key, and what is in it",
        "get_ledger",
        get_ledger,
        None,
        {200: LedgerTotals},
        READ,
    ),
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
