"""An account's statement, as a table that is written while it is read, or as a picture."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel.account_books import Line
from koshel.command_line.commands import CommandError
from koshel.command_line.tables import Table
from koshel.core.money import ZEROS, add, plain, scale_of, subtract
from koshel.db.wanted import FIRST_MOMENT
from koshel.http.problems import printable
from koshel.ledger import Ledger
from koshel.results import Account, Balance
from koshel.texts import AT, identifier
from koshel.values import Invalid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES_AT_ONCE = 200  # of a table: so many are written together
SHORTEST = timedelta(minutes=1)  # that a picture shows
HEADS = ("line", "time (UTC)", "transaction", "kind", "change", "balance", "held", "with", "reference")
NUMBERS = ("line", "transaction", "change", "balance", "held")


class Statement(Struct, frozen=True):
    """An account from one moment to another: how it stood before them and after them, and what reads its lines."""

    ledger: Ledger
    account: Account
    opening: Balance
    closing: Balance
    since: datetime | None
    until: datetime | None

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self.closing.version - self.opening.version

    @property
    def title(self) -> str:
        """The account, by its name and its id."""
        name = self.account.name
        return f"account {self.account.id}" if name is None else f"{AT}{name} (account {self.account.id})"

    async def lines(self) -> AsyncIterator[Line]:
        """The lines, the oldest first; what came after the closing is not among them."""
        if not self.count:
            return
        lines = self.ledger.lines(self.account.id, newest_first=False, since=self.since, until=self.until)
        async for line in lines:
            if line.version > self.closing.version:
                return
            yield line


async def find(ledger: Ledger, account: str, since: datetime | None, until: datetime | None) -> Statement:
    """The statement of an account, by its id or by @ and its name. Raises CommandError."""
    try:
        found = await ledger.account(account if account.startswith(AT) else identifier(account))
    except Invalid:
        raise CommandError(f"{printable(account)!r} is neither the id of an account nor @ and a name") from None
    if found is None:
        raise CommandError(f"there is no account {account}")
    opening = await _before(ledger, found, since or FIRST_MOMENT)
    closing = await (ledger.balance(found.id) if until is None else _before(ledger, found, until))
    return Statement(ledger, found, opening, closing, since, until)


async def _before(ledger: Ledger, account: Account, moment: datetime) -> Balance:
    if moment == FIRST_MOMENT:
        return await ledger.balance(account.id, version=0)
    return await ledger.balance(account.id, at=moment - timedelta(microseconds=1))


async def table(found: Statement, ledger: str) -> AsyncIterator[str]:
    """The statement as text, some lines at a time."""
    opening, closing = found.opening, found.closing
    yield f"{found.title}, ledger {ledger}, {found.account.currency}\n"
    yield f"before: balance {plain(opening.balance)}, held {plain(opening.held)}\n"
    shown, rows = Table(HEADS, NUMBERS), list[tuple[str, ...]]()
    came_in = left = ZEROS[scale_of(closing.balance)]
    async for line in found.lines():
        rows.append(_row(found.account, line))
        if line.change > 0:
            came_in = add(came_in, line.change)
        else:
            left = subtract(left, line.change)
        if len(rows) == LINES_AT_ONCE:
            yield shown.text(rows)
            rows.clear()
    if rows or not found.count:
        yield shown.text(rows)
    yield f"after: balance {plain(closing.balance)}, held {plain(closing.held)}; "
    yield f"in {plain(came_in)}, out {plain(left)}\n"


def _row(account: Account, line: Line) -> tuple[str, ...]:
    one = line.transaction
    is_source = one.source_account_id == account.id
    name = one.target if is_source else one.source
    other = one.target_account_id if is_source else one.source_account_id
    return (
        *(str(line.version), f"{one.ctime:%Y-%m-%d %H:%M:%S}", str(one.id), one.kind.value),
        *map(plain, (line.change, line.balance, line.held)),
        "outside" if other is None else str(other) if name is None else f"{AT}{name}",
        printable(one.reference or ""),
    )


async def picture(found: Statement, ledger: str, progress: Callable[[float], None]) -> "Figure":
    """The statement as a picture."""
    from koshel.pictures.statement import Of, StatementPicture  # noqa: PLC0415  it needs an extra

    opened, now = found.account.ctime, datetime.now(UTC)

    def of(first: datetime, last: datetime) -> Of:
        """From the time that was asked for, if the account was there, or else from its first line to its last."""
        begin = first if found.since is None else min(first, max(found.since, opened))
        end = last if found.until is None else max(last, min(found.until, now))
        return Of(
            account=found.title,
            ledger=ledger,
            currency=found.account.currency,
            begin=begin,
            end=max(end, begin + SHORTEST),
            balance=found.opening.balance,
            held=found.opening.held,
            lines=found.count,
        )

    drawn: StatementPicture | None = None
    async for line in found.lines():
        moment = line.transaction.ctime
        drawn = drawn or StatementPicture(of(moment, found.closing.ctime), moment, found.closing.ctime)
        drawn.add(moment, line.change, line.balance, line.held)
        progress((line.version - found.opening.version) / found.count)
    if drawn is None:
        quiet = min(max(found.since or opened, opened), found.until or now, now)
        drawn = StatementPicture(of(quiet, quiet), quiet, quiet)
    return drawn.drawn()
