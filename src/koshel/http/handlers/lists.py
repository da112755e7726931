"""Lists of transactions and accounts: their queries, their handlers and their routes; lines.py has an account's own."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Protocol

from msgspec import UNSET, Meta, Struct, UnsetType, field

from koshel.core.commands import UNRESOLVED, Kind, Status
from koshel.core.originals import TransactionStatus
from koshel.db.reading import account_lists, transaction_lists
from koshel.db.reading.filter_fields import ACCOUNT_FIELDS, TRANSACTION_FIELDS
from koshel.db.reading.wanted import (
    AccountPosition,
    AccountsWanted,
    Listed,
    Position,
    TransactionsWanted,
)
from koshel.http.bodies import wire
from koshel.http.call import Call, Reply
from koshel.http.filtering import Filter, looked_up, parsed
from koshel.http.handlers.transactions import shown
from koshel.http.pages import Lists, Next, PageQuery
from koshel.http.parameters import said
from koshel.http.problems import parameter_invalid
from koshel.http.route import Route
from koshel.inputs import moments, values
from koshel.inputs.labels import Reference
from koshel.inputs.values import ACCOUNT_NAME_MAX, END, AccountName, CurrencyCode, Email, Id, Invalid, Key, Name, Note

_METADATA = "`metadata.plan=gold`: items with this entry; at most 5 entries."
_NAMES = {"reason": "must be the name of an account, or the beginning of names and *"}
_MOMENT = {"format": "date-time"}
_PROBLEMS = ("database-unavailable", "overloaded", "filter-not-indexed")

Since = Annotated[str, Meta(max_length=moments.LENGTH_MAX, description="From this time on.", extra_json_schema=_MOMENT)]
Until = Annotated[str, Meta(max_length=moments.LENGTH_MAX, description="Before this time.", extra_json_schema=_MOMENT)]
Metadata = Annotated[dict[Name, Note], Meta(max_length=5, description=_METADATA)]
Names = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=rf"^[A-Za-z0-9_.:-]{{0,{ACCOUNT_NAME_MAX}}}\*?{END}",
        description="`users:42`, or `users:*` for all names that begin so, in the order of names.",
        extra=_NAMES,
    ),
]


class Between(PageQuery, frozen=True, kw_only=True):
    """The query of a list that is in the order of time."""

    since: Since | UnsetType = UNSET
    until: Until | UnsetType = UNSET


class Stretched(Protocol):
    """A query that says from when on, and before when."""

    @property
    def since(self) -> str | UnsetType:
        """A moment."""

    @property
    def until(self) -> str | UnsetType:
        """A moment."""


class TransactionQuery(Between, frozen=True, kw_only=True):
    """The query of a list of transactions."""

    account_id: (
        Annotated[Id, Meta(description="Transactions that have touched this account, or are queued for it.")]
        | UnsetType
    ) = UNSET
    account: Annotated[AccountName, Meta(description="The same, by the account's name.")] | UnsetType = UNSET
    kind: Annotated[Kind, Meta(description="Transactions of this kind.")] | UnsetType = UNSET
    status: Annotated[TransactionStatus, Meta(description="Transactions that have this status now.")] | UnsetType = (
        UNSET
    )
    group_id: Annotated[Id, Meta(description="Transactions of this atomic batch or split.")] | UnsetType = UNSET
    parent_id: (
        Annotated[Id, Meta(description="Captures, voids, expiries and refunds of this transaction.")] | UnsetType
    ) = UNSET
    idempotency_key: (
        Annotated[Key, Meta(description="What was made with this key: of a batch or a split all of it.")] | UnsetType
    ) = UNSET
    reference: Annotated[Reference, Meta(description="Transactions with this reference.")] | UnsetType = UNSET
    effective_on: Annotated[date, Meta(description="Transactions that count for this day.")] | UnsetType = UNSET
    metadata: Metadata = field(default_factory=dict)
    filter: Filter | UnsetType = UNSET


class AccountQuery(PageQuery, frozen=True, kw_only=True):
    """The query of a list of accounts."""

    email: Annotated[Email, Meta(min_length=1, description="Accounts with this email.")] | UnsetType = UNSET
    currency: Annotated[CurrencyCode, Meta(description="Accounts in this currency.")] | UnsetType = UNSET
    status: Annotated[Status, Meta(description="Accounts that have this status now.")] | UnsetType = UNSET
    name: Names | UnsetType = UNSET
    metadata: Metadata = field(default_factory=dict)
    filter: Filter | UnsetType = UNSET


class TransactionPage(Struct, frozen=True):
    """Some transactions."""

    items: list[wire.Transaction]
    next: Next


class AccountPage(Struct, frozen=True):
    """Some accounts."""

    items: list[wire.Account]
    next: Next


TRANSACTIONS = Lists(TransactionsWanted, Position, several=True)
_ACCOUNTS = Lists(AccountsWanted, AccountPosition)


async def list_transactions(call: Call) -> Reply:
    """GET /transaction."""
    query: TransactionQuery = call.query
    since, until = between(query)
    account_id = await _account_id(call, query)
    wanted = TransactionsWanted(
        account_id=account_id,
        kind=said(query.kind),
        status=said(query.status),
        since=since,
        until=until,
        group_id=said(query.group_id),
        parent_id=said(query.parent_id),
        idempotency_key=said(query.idempotency_key),
        reference=said(query.reference),
        effective_on=said(query.effective_on),
        metadata=query.metadata,
        filter=said(query.filter),
    )
    path = "/transaction"
    asked = TRANSACTIONS.asked(call, path, wanted)
    if account_id == UNRESOLVED:
        await parsed(asked[0], TRANSACTION_FIELDS)
        return TRANSACTIONS.reply(call, path, asked, Listed([], None), [])
    page = await looked_up(call, transaction_lists.transactions, asked, TRANSACTION_FIELDS)
    return TRANSACTIONS.reply(call, path, asked, page, [shown(found) for found in page.items])


async def list_accounts(call: Call) -> Reply:
    """GET /account."""
    query: AccountQuery = call.query
    wanted = AccountsWanted(
        email=None if query.email is UNSET else known_email(query.email),
        currency=said(query.currency),
        status=said(query.status),
        name=said(query.name),
        metadata=query.metadata,
        filter=said(query.filter),
    )
    path = "/account"
    asked = _ACCOUNTS.asked(call, path, wanted)
    page = await looked_up(call, account_lists.accounts, asked, ACCOUNT_FIELDS)
    return _ACCOUNTS.reply(call, path, asked, page, [wire.account(details) for details in page.items])


def known_email(text: str) -> str:
    """The address as it is kept. Raises Failure."""
    try:
        return values.kept_email(text)
    except Invalid as error:
        raise parameter_invalid("email", error.reason) from None


def between(query: Stretched) -> tuple[datetime | None, datetime | None]:
    """From when on, and before when. Raises Failure."""
    since, until = map(said, (query.since, query.until))
    try:
        return moments.between(since, until)
    except Invalid as error:
        raise parameter_invalid(error.field, error.reason) from None


def moment_of(text: str, name: str) -> datetime:
    """The moment that a parameter says. Raises Failure."""
    try:
        return moments.moment(text, name)
    except Invalid as error:
        raise parameter_invalid(name, error.reason) from None


async def _account_id(call: Call, query: TransactionQuery) -> int | None:
    """The account that a query asks for; UNRESOLVED if none has the name."""
    if query.account is UNSET:
        return said(query.account_id)
    if query.account_id is not UNSET:
        raise parameter_invalid("account", "does not go with account_id")
    details = await call.reads.get_account(call.caller.ledger_id, query.account)
    return UNRESOLVED if details is None else details.id


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/transaction",
        "List transactions",
        "list_transactions",
        list_transactions,
        None,
        {200: TransactionPage},
        _PROBLEMS,
        query=TransactionQuery,
    ),
    Route(
        "GET",
        "/account",
        "List accounts",
        "list_accounts",
        list_accounts,
        None,
        {200: AccountPage},
        _PROBLEMS,
        query=AccountQuery,
    ),
)
