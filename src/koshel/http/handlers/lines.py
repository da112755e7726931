"""An account's lines: how they are shown, their handler and their route."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.model import AccountDetails
from koshel.core.money import plain
from koshel.db.reading import transaction_lists
from koshel.db.reading.filter_fields import LINE_FIELDS
from koshel.db.reading.lines import Line
from koshel.db.reading.wanted import TransactionsWanted
from koshel.http.bodies import wire
from koshel.http.call import Call, Reply
from koshel.http.filtering import Filter, looked_up
from koshel.http.handlers.accounts import account_in_path
from koshel.http.handlers.lists import TRANSACTIONS, Between, between
from koshel.http.handlers.transactions import shown
from koshel.http.pages import Next
from koshel.http.parameters import said
from koshel.http.problems import account_not_found
from koshel.http.route import Route


class LineQuery(Between, frozen=True, kw_only=True):
    """The query of a list of an account's lines."""

    filter: Filter | UnsetType = UNSET


class AccountLine(Struct, frozen=True):
    """A transaction as it touched an account, and what the account was left with."""

    version: Annotated[
        int, Meta(description="The number of the line: an account's lines are numbered 1, 2, 3 ... without a gap.")
    ]
    transaction: wire.Transaction
    change: Annotated[str, Meta(description="How the balance changed; zero if only `held` has changed.")]
    balance: str
    held: str


class LinePage(Struct, frozen=True):
    """Some lines of an account."""

    items: list[AccountLine]
    next: Next


async def list_lines(call: Call) -> Reply:
    """GET /account/{id}/transaction."""
    account = await account_of(call)
    since, until = between(call.query)
    path = f"/account/{account.id}/transaction"
    query: LineQuery = call.query
    wanted = TransactionsWanted(account_id=account.id, since=since, until=until, filter=said(query.filter))
    asked = TRANSACTIONS.asked(call, path, wanted)
    page = await looked_up(call, transaction_lists.account_lines, asked, LINE_FIELDS)
    return TRANSACTIONS.reply(call, path, asked, page, [shown_line(line) for line in page.items])


async def account_of(call: Call) -> AccountDetails:
    """The account that the path names. Raises Failure."""
    account_id, name = account_in_path(call)
    wanted = account_id if name is None else name
    details = await call.reads.get_account(call.caller.ledger_id, wanted)
    if details is None:
        raise account_not_found(wanted)
    return details


def shown_line(one: Line) -> AccountLine:
    """The reply's form of a line."""
    balance, held = plain(one.side.balance), plain(one.side.held)
    return AccountLine(one.version, shown(one.found), plain(one.change), balance, held)


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/account/{id}/transaction",
        "List what has touched an account, with its balance after each",
        "list_lines",
        list_lines,
        None,
        {200: LinePage},
        ("database-unavailable", "overloaded", "account-not-found"),
        query=LineQuery,
    ),
)
