"""What an account was at a moment, after a line, or by value date: how it is shown, its handler and its route."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.model import AccountDetails
from koshel.core.money import plain
from koshel.db.reading import lines, value_dates
from koshel.db.reading.lines import State
from koshel.db.reading.value_dates import TooManyValueDates
from koshel.http.bodies.wire import Time
from koshel.http.bodies.wire import time as shown_time
from koshel.http.call import Call, Reply
from koshel.http.call import json as json_reply
from koshel.http.handlers.lines import account_of
from koshel.http.handlers.lists import moment_of
from koshel.http.problems import Failure, parameter_invalid
from koshel.http.route import Route
from koshel.inputs.values import AccountName, Id

At = Annotated[
    str, Meta(max_length=64, description="The balance at this time.", extra_json_schema={"format": "date-time"})
]
AsOf = Annotated[date, Meta(description="The balance by value date: lines that count for this day or an earlier one.")]
Version = Annotated[int, Meta(ge=0, le=2**63 - 1, description="The balance after this line; 0: at the opening.")]


class BalanceQuery(Struct, frozen=True):
    """When; now, if nothing is said."""

    at: At | UnsetType = UNSET
    version: Version | UnsetType = UNSET
    as_of: AsOf | UnsetType = UNSET


class Balance(Struct, frozen=True):
    """What an account was left with after a line; by value date, after the last line of that day."""

    account_id: Id
    currency: str
    version: int
    balance: str
    held: str
    ctime: Annotated[Time, Meta(description="Since when it is so: the time of its line, or of its opening.")]
    name: Annotated[AccountName, Meta(description="Of the account, if it has one.")] | UnsetType = UNSET
    as_of: (
        Annotated[date, Meta(description="The day, if the request has one: the balance is by value date.")] | UnsetType
    ) = UNSET


async def get_balance(call: Call) -> Reply:
    """GET /account/{id}/balance."""
    account = await account_of(call)
    query: BalanceQuery = call.query
    if query.at is not UNSET and query.version is not UNSET:
        raise parameter_invalid("version", "does not go with at")
    if query.as_of is not UNSET:
        return await _by_value_date(call, account, query)
    at = None if query.at is UNSET else moment_of(query.at, "at")
    version = account.version if query.version is UNSET else query.version
    if version > account.version:
        raise parameter_invalid("version", f"must not be more than {account.version}, which the account is at")
    found = await call.reads.look_up(
        account.ledger_id,
        lambda connection, q: (
            lines.state(connection, q, account, version) if at is None else lines.state_at(connection, q, account, at)
        ),
    )
    return json_reply(200, _balance(account, found))


async def _by_value_date(call: Call, account: AccountDetails, query: BalanceQuery) -> Reply:
    day = query.as_of
    assert day is not UNSET
    for name in ("at", "version"):
        if getattr(query, name) is not UNSET:
            raise parameter_invalid("as_of", f"does not go with {name}")
    try:
        found = await call.reads.look_up(
            account.ledger_id, lambda connection, q: value_dates.state_as_of(connection, q, account, day)
        )
    except TooManyValueDates as error:
        raise _too_many(error) from None
    return json_reply(200, _balance(account, found, day))


def _balance(account: AccountDetails, state: State, as_of: date | UnsetType = UNSET) -> Balance:
    balance, held = plain(state.balance), plain(state.held)
    name = UNSET if account.name is None else account.name
    return Balance(account.id, account.currency, state.version, balance, held, shown_time(state.ctime), name, as_of)


def _too_many(error: TooManyValueDates) -> Failure:
    detail = (
        f"More than {error.most} lines of account {error.account_id} were posted by {error.day} and count for a later"
        " day, or were posted later and count for it or an earlier one: too many to be added up. Add up the account's"
        " lines."
    )
    return Failure("too-many-value-dates", detail, account_id=error.account_id, lines_max=error.most)


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/account/{id}/balance",
        "Read what an account was at a time, or after one of its lines",
        "get_balance",
        get_balance,
        None,
        {200: Balance},
        ("database-unavailable", "overloaded", "account-not-found", "history-archived", "too-many-value-dates"),
        query=BalanceQuery,
    ),
)
