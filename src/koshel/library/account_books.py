"""The books of one account, for a program: its lines, its statement, and what it was."""

from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from koshel.core.model import AccountDetails
from koshel.core.money import add, subtract
from koshel.db.errors import HistoryArchived
from koshel.db.reading import lines, transaction_lists, value_dates
from koshel.db.reading.filter_fields import LINE_FIELDS
from koshel.db.reading.lines import Stretch
from koshel.db.reading.pages import Ask
from koshel.db.reading.value_dates import TooManyValueDates
from koshel.db.reading.wanted import TransactionsWanted
from koshel.errors import Refused
from koshel.inputs import moments
from koshel.inputs.moments import Moment
from koshel.inputs.texts import AccountRef
from koshel.inputs.values import Invalid
from koshel.library import history, results
from koshel.library.book_pages import PAGE, BookPages
from koshel.library.results import Balance, Transaction

if TYPE_CHECKING:
    from koshel.db.reads import Work

T = TypeVar("T")


class Line(Struct, frozen=True, kw_only=True):
    """A transaction as it touched an account."""

    version: int  # of the account: its lines are numbered 1, 2, 3 ... without a gap
    transaction: Transaction
    change: Decimal  # of the balance; zero if only what is held has changed
    balance: Decimal  # after it
    held: Decimal


class Statement:
    """An account between two moments, and its lines there, the oldest first: `async for line in statement`.

    `opening` and `closing` are what it was left with before the first of them and after the last.
    `total_in` and `total_out` are the sums of the lines that were read, from the first on. At the end
    opening.balance + total_in - total_out == closing.balance.
    """

    def __init__(self, opening: Balance, closing: Balance, lines: Callable[[], AsyncIterator[Line]]) -> None:
        self.opening = opening
        self.closing = closing
        self._lines = lines
        self.total_in = self.total_out = subtract(opening.balance, opening.balance)

    async def __aiter__(self) -> AsyncIterator[Line]:
        self.total_in = self.total_out = subtract(self.opening.balance, self.opening.balance)
        async for line in self._lines():
            if line.change > 0:
                self.total_in = add(self.total_in, line.change)
            else:
                self.total_out = subtract(self.total_out, line.change)
            yield line


class AccountBooks(BookPages):
    """What can be read of an account besides itself. Each raises Refused if there is none."""

    async def lines(
        self,
        account: AccountRef,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        filter: str | None = None,  # noqa: A002  as it is called over HTTP
        newest_first: bool = True,
    ) -> AsyncIterator[Line]:
        """What has touched an account, with what it was left with after each. Raises Refused if there is none."""
        details = await self._details(account)
        begin, end = moments.between(since, until)
        wanted = TransactionsWanted(account_id=details.id, since=begin, until=end)
        look = transaction_lists.account_lines
        pages = self._walk(look, wanted, newest_first=newest_first, fields=LINE_FIELDS, filter_=filter)
        async for found in pages:
            yield _line(found)

    async def statement(
        self, account: AccountRef, *, since: Moment | None = None, until: Moment | None = None
    ) -> Statement:
        """The lines from `since` on and before `until`, and what the account had before and after them. Raises Refused.

        It ends at what is the last line now, if not before; what comes while it is read is not in it.
        """
        details = await self._details(account)
        begin, end = moments.between(since, until)
        stretch = await self._look_back(
            details, lambda connection, q: lines.stretch(connection, q, details, begin, end)
        )
        return Statement(
            results.balance(stretch.opening), results.balance(stretch.closing), partial(self._lines_of, stretch)
        )

    async def _lines_of(self, stretch: Stretch) -> AsyncIterator[Line]:
        start = None
        while stretch.closing.version > stretch.opening.version:
            self._life.check()
            look = partial(transaction_lists.statement_lines, stretch=stretch, ask=Ask(PAGE, "asc", start))
            page = await self._look_back(stretch.account, look)
            for found in page.items:
                yield _line(found)
            if page.ends_at is None:
                return
            start = page.ends_at

    async def balance(
        self,
        account: AccountRef,
        *,
        at: Moment | None = None,
        version: int | None = None,
        as_of: date | str | None = None,
    ) -> Balance:
        """What an account was left with, at a moment or after a line; now, if neither is given. Raises Refused.

        `as_of`: at the end of this day in UTC, with the balance by value date: that of all that counts for it or a day
        before. Where that is a sum over too many lines, it is Refused as `too-many-value-dates`.
        """
        details = await self._details(account)
        if [at, version, as_of].count(None) < 2:
            raise Invalid("version" if as_of is None else "as_of", "does not go with another of at, version and as_of")
        if version is not None and (type(version) is not int or not 0 <= version <= details.version):
            raise Invalid("version", f"must be a whole number from 0 to {details.version}")
        if as_of is not None:
            return await self._balance_as_of(details, moments.day(as_of, "as_of"))
        moment = None if at is None else moments.moment(at, "at")
        number = details.version if version is None else version
        found = await self._look_back(
            details,
            lambda connection, q: (
                lines.state(connection, q, details, number)
                if moment is None
                else lines.state_at(connection, q, details, moment)
            ),
        )
        return results.balance(found)

    async def _balance_as_of(self, details: AccountDetails, day: date) -> Balance:
        try:
            found = await self._look_back(
                details, lambda connection, q: value_dates.state_as_of(connection, q, details, day)
            )
        except TooManyValueDates as error:
            facts = {"account_id": error.account_id, "lines_max": error.most}
            raise Refused("too-many-value-dates", facts) from None
        return results.balance(found)

    async def _look_back(self, account: AccountDetails, look: "Work[T]") -> T:
        try:
            return await self._reads.look_up(account.ledger_id, look)
        except HistoryArchived as error:
            raise history.refused(error) from None


def _line(found: lines.Line) -> Line:
    transaction, side = results.read(found.found), found.side
    assert isinstance(transaction, Transaction)
    return Line(
        version=found.version,
        transaction=transaction,
        change=found.change,
        balance=side.balance,
        held=side.held,
    )
