"""An account's statement, as a table that is written while it is read, or as a picture."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel.command_line.commands import CommandError
from koshel.command_line.tables import Table
from koshel.core.money import plain
from koshel.http.problems import printable
from koshel.inputs.texts import AT, identifier
from koshel.inputs.values import Invalid
from koshel.library import account_books
from koshel.library.account_books import Line
from koshel.library.ledger import Ledger
from koshel.library.results import Account

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES_AT_ONCE = 200  # of a table: so many are written together
SHORTEST = timedelta(minutes=1)  # that a picture shows
HEADS = ("line", "time (UTC)", "transaction", "kind", "change", "balance", "held", "with", "reference")
NUMBERS = ("line", "transaction", "change", "balance", "held")


class Statement(Struct, frozen=True):
    """An account from one moment to another, and what the library says of it there."""

    account: Account
    read: account_books.Statement
    since: datetime | None
    until: datetime | None

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self.read.closing.version - self.read.opening.version

    @property
    def title(self) -> str:
        """The account, by its name and its id."""
        name = self.account.name
        return f"account {self.account.id}" if name is None else f"{AT}{name} (account {self.account.id})"


async def find(ledger: Ledger, account: str, since: datetime | None, until: datetime | None) -> Statement:
    """The statement of an account, by its id or by @ and its name. Raises CommandError."""
    try:
        found = await ledger.account(account if account.startswith(AT) else identifier(account))
    except Invalid:
        raise CommandError(f"{printable(account)!r} is neither the id of an account nor @ and a name") from None
    if found is None:
        raise CommandError(f"there is no account {account}")
    return Statement(found, await ledger.statement(found.id, since=since, until=until), since, until)


async def table(found: Statement, ledger: str) -> AsyncIterator[str]:
    """The statement as text, some lines at a time."""
    opening, closing = found.read.opening, found.read.closing
    yield f"{found.title}, ledger {ledger}, {found.account.currency}\n"
    yield f"before: balance {plain(opening.balance)}, held {plain(opening.held)}\n"
    shown, rows = Table(HEADS, NUMBERS), list[tuple[str, ...]]()
    async for line in found.read:
        rows.append(_row(found.account, line))
        if len(rows) == LINES_AT_ONCE:
            yield shown.text(rows)
            rows.clear()
    if rows or not found.count:
        yield shown.text(rows)
    yield f"after: balance {plain(closing.balance)}, held {plain(closing.held)}; "
    yield f"in {plain(found.read.total_in)}, out {plain(found.read.total_out)}\n"


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
            balance=found.read.opening.balance,
            held=found.read.opening.held,
            lines=found.count,
        )

    drawn: StatementPicture | None = None
    async for line in found.read:
        moment = line.transaction.ctime
        drawn = drawn or StatementPicture(of(moment, found.read.closing.ctime), moment, found.read.closing.ctime)
        drawn.add(moment, line.change, line.balance, line.held)
        progress((line.version - found.read.opening.version) / found.count)
    if drawn is None:
        quiet = min(max(found.since or opened, opened), found.until or now, now)
        drawn = StatementPicture(of(quiet, quiet), quiet, quiet)
    return drawn.drawn()
