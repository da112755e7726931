"""The books of a ledger, for a program: lists, lines, balances and sums. Lists are read page by page, as they are used.

async for line in ledger.lines("@users:42", since=...):
print(line.version, line.change, line.balance)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, get_args

from msgspec import Struct

from koshel import moments, results, values
from koshel.checks import checked_id
from koshel.core.commands import Kind, Status
from koshel.core.model import AccountDetails
from koshel.core.originals import TransactionStatus
from koshel.db import account_lists, lines, totals, transaction_lists
from koshel.db.lines import State
from koshel.db.pages import Ask
from koshel.db.reads import Reads
from koshel.db.totals import Totals
from koshel.db.wanted import AccountsWanted, Listed, NotIndexed, TransactionsWanted
from koshel.errors import Refused
from koshel.labels import given
from koshel.moments import Moment
from koshel.requests import Requests
from koshel.results import Account, Promise, Transaction
from koshel.texts import AccountRef, asked
from koshel.values import Invalid

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection
    from koshel.db.queries import Queries

PAGE = 100  # of a list that is read

ItemT = TypeVar("ItemT")


class Line(Struct, frozen=True, kw_only=True):
    """A transaction as it touched an account."""

    version: int  # of the account: its lines are numbered 1, 2, 3 ... without a gap
    transaction: Transaction
    change: Decimal  # of the balance; zero if only what is held has changed
    balance: Decimal  # after it
    held: Decimal


class Life(Protocol):
    """From when to when, and where, a ledger may be used."""

    def check(self) -> None:
        """Raise Misuse where it may not."""


class Books:
    """What can be read of a ledger besides a single account or transaction; who inherits it says over what.

    Each raises Misuse for what can never be asked, and StoreError. A list that no index finds is Invalid.
    """

    requests: Requests
    _reads: Reads
    _life: Life

    async def transactions(
        self,
        *,
        account: AccountRef | None = None,
        kind: Kind | str | None = None,
        status: TransactionStatus | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        group_id: int | None = None,
        parent_id: int | None = None,
        key: str | None = None,
        reference: str | None = None,
        effective_on: date | str | None = None,
        metadata: Mapping[str, str] | None = None,
        newest_first: bool = True,
    ) -> AsyncIterator[Transaction | Promise]:
        """The transactions that are as they are wanted: posted ones, and what is queued, declined or cancelled.

        In the order of time: from `since` on, and before `until`. `metadata`: entries that they have.
        """
        self._life.check()
        wanted = TransactionsWanted(
            kind=None if kind is None else _one_of(Kind, kind, "kind"),
            status=_status(status),
            since=None if since is None else moments.moment(since, "since"),
            until=None if until is None else moments.moment(until, "until"),
            group_id=None if group_id is None else checked_id(group_id, "group_id"),
            parent_id=None if parent_id is None else checked_id(parent_id, "parent_id"),
            idempotency_key=values.fields({"key": key}).key,
            account_id=None if account is None else await self._id_of(account),
            **given({"reference": reference, "effective_on": effective_on}),
            metadata=values.fields({"metadata": dict(metadata or {})}).metadata,
        )
        if wanted.account_id == 0:
            return
        async for found in self._walk(transaction_lists.transactions, wanted, newest_first=newest_first):
            yield results.read(found)

    async def accounts(
        self,
        *,
        email: str | None = None,
        currency: str | None = None,
        status: Status | str | None = None,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        newest_first: bool = True,
    ) -> AsyncIterator[Account]:
        """The accounts that are as they are wanted. `name` may end in `*`: then in the order of their names."""
        self._life.check()
        wanted = AccountsWanted(
            email=email,
            currency=currency,
            status=None if status is None else _one_of(Status, status, "status").value,
            name=name,
            metadata=values.fields({"metadata": dict(metadata or {})}).metadata,
        )
        values.fields({field: one for field, one in (("email", email), ("currency", currency)) if one is not None})
        if name is not None and name != "*":
            values.fields({"name": name.removesuffix("*")})
        async for details in self._walk(account_lists.accounts, wanted, newest_first=newest_first):
            yield results.account(details)

    async def lines(
        self,
        account: AccountRef,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        newest_first: bool = True,
    ) -> AsyncIterator[Line]:
        """What has touched an account, with what it was left with after each. Raises Refused if there is none."""
        details = await self._details(account)
        wanted = TransactionsWanted(
            account_id=details.id,
            since=None if since is None else moments.moment(since, "since"),
            until=None if until is None else moments.moment(until, "until"),
        )
        async for found in self._walk(transaction_lists.account_lines, wanted, newest_first=newest_first):
            transaction, side = results.read(found.found), found.side
            assert isinstance(transaction, Transaction)
            yield Line(
                version=found.version,
                transaction=transaction,
                change=found.change,
                balance=side.balance,
                held=side.held,
            )

    async def balance(self, account: AccountRef, *, at: Moment | None = None, version: int | None = None) -> State:
        """What an account was left with, at a moment or after a line; now, if neither is given. Raises Refused."""
        details = await self._details(account)
        if at is not None and version is not None:
            raise Invalid("version", "does not go with at")
        if version is not None and (type(version) is not int or not 0 <= version <= details.version):
            raise Invalid("version", f"must be a whole number from 0 to {details.version}")
        moment = None if at is None else moments.moment(at, "at")
        number = details.version if version is None else version
        found = await self._reads.look_up(
            details.ledger_id,
            lambda connection, q: (
                lines.state(connection, q, details, number)
                if moment is None
                else lines.state_at(connection, q, details, moment)
            ),
        )
        assert found is not None, "versions have no gap"
        return found

    async def totals(self) -> Sequence[Totals]:
        """What the ledger has, by currency, from one snapshot: all of its accounts are read for it."""
        self._life.check()
        ledger_id = self.requests.ledger_id
        return await self._reads.look_up(ledger_id, partial(totals.of_ledger, ledger_id=ledger_id))

    async def _walk(
        self, look: Callable[..., Awaitable[Listed[ItemT, Any]]], wanted: Struct, *, newest_first: bool
    ) -> AsyncIterator[ItemT]:
        """The items of all pages, each read when the one before it is used up."""
        ask = Ask(PAGE, "desc" if newest_first else "asc")
        while True:
            page = await self._page(look, wanted, ask)
            for item in page.items:
                yield item
            if page.ends_at is None:
                return
            ask = Ask(PAGE, ask.order, page.ends_at)

    async def _page(
        self, look: Callable[..., Awaitable[Listed[ItemT, Any]]], wanted: Struct, ask: Ask
    ) -> Listed[ItemT, Any]:
        self._life.check()
        ledger_id = self.requests.ledger_id

        async def work(connection: "AnyConnection", q: "Queries") -> Listed[ItemT, Any]:
            return await look(connection, q, ledger_id, wanted, ask)

        try:
            return await self._reads.look_up(ledger_id, work)
        except NotIndexed as error:
            reason = f"is found by no index alone; give one of {', '.join(error.instead)} too"
            raise Invalid(error.fields[0], reason) from None

    async def _id_of(self, account: AccountRef) -> int:
        """The account's id; 0 if nobody has the name."""
        id_, name = asked(account, "account")
        if name is None:
            return checked_id(id_, "account")
        details = await self._reads.get_account(self.requests.ledger_id, name)
        return 0 if details is None else details.id

    async def _details(self, account: AccountRef) -> AccountDetails:
        self._life.check()
        id_, name = asked(account, "account")
        wanted = checked_id(id_, "account") if name is None else name
        details = await self._reads.get_account(self.requests.ledger_id, wanted)
        if details is None:
            raise Refused("account-not-found", {"account_id": id_} if name is None else {"name": name})
        return details


def _one_of(kind: Any, value: Any, field: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise Invalid(field, f"must be one of {', '.join(kind)}") from None


def _status(value: TransactionStatus | None) -> TransactionStatus | None:
    if value is not None and value not in get_args(TransactionStatus):
        raise Invalid("status", f"must be one of {', '.join(get_args(TransactionStatus))}")
    return value
