"""An account's lines: what has touched it, in the order of its versions, and what it was left with after each.

Versions run 1, 2, 3 ... without a gap, and in the order of time. So a balance at a moment is that of a version, and
what lies between two moments is what lies between two versions.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from koshel.core.commands import Kind
from koshel.core.model import AccountDetails, Posted
from koshel.core.money import ZEROS, scale_of, subtract
from koshel.core.sides import Side
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.queries import Queries
from koshel.db.reading import archived
from koshel.db.reading.pages import Keyed
from koshel.db.reading.wanted import LAST_MOMENT

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

AccountKey: TypeAlias = tuple[int, int]  # its ledger's id, and its own
Versions: TypeAlias = tuple[int, int]  # the first and the last

LEAVE = {Kind.WITHDRAWAL, Kind.TRANSFER, Kind.CAPTURE, Kind.REFUND}  # by which money leaves its source


class Line(Struct, frozen=True):
    """A transaction as it touched an account."""

    found: FoundTransaction
    side: Side
    change: Decimal  # of the balance: zero if only what is held has changed

    @property
    def version(self) -> int:
        """The version of the account."""
        return self.side.version


class State(Struct, frozen=True):
    """What an account was left with at a version; 0: when it was opened."""

    version: int
    balance: Decimal
    held: Decimal
    ctime: datetime


def line(account_id: int, found: FoundTransaction) -> Line:
    """The line of an account that a transaction has touched."""
    posted = found.transaction
    assert isinstance(posted, Posted)
    source, target = posted.source, posted.target
    if source is not None and source.account_id == account_id:
        leaves, zero = posted.kind in LEAVE, ZEROS[scale_of(posted.amount)]
        return Line(found, source, subtract(zero, posted.amount) if leaves else zero)
    assert isinstance(target, Side)
    return Line(found, target, posted.amount)


async def versions_between(
    connection: "AnyConnection", q: Queries, account: AccountKey, since: datetime, until: datetime
) -> Versions:
    """The first and the last version from a moment on, and before another; if there is none, the last is the lower.

    Where one that is archived would say it, there may be more than those at either end.
    """
    found = await connection.fetch(q.find_states_before, *account, (since, until))
    if not found:
        return 1, 0
    before, last = found
    return (1 if before["balance"] is None else before["version"] + 1), last["version"]


async def state(connection: "AnyConnection", q: Queries, account: AccountDetails, version: int) -> State:
    """What an account was left with at a version, which it has had. Raises HistoryArchived."""
    if version == 0:
        return _opened(account)
    row = await connection.fetchrow(q.get_state, account.ledger_id, account.id, version)
    if row is None:
        raise await archived.refusal(connection, q, account)
    return _state(account, version, row)


async def states_before(
    connection: "AnyConnection", q: Queries, account: AccountDetails, moments: Sequence[datetime]
) -> list[State]:
    """What an account was left with before each of these moments. Raises HistoryArchived."""
    found = await connection.fetch(q.find_states_before, account.ledger_id, account.id, moments)
    if any(row["version"] > 0 and row["balance"] is None for row in found):
        raise await archived.refusal(connection, q, account)
    return [_opened(account) if row["version"] == 0 else _state(account, row["version"], row) for row in found]


async def state_at(connection: "AnyConnection", q: Queries, account: AccountDetails, moment: datetime) -> State:
    """What an account was left with at a moment, by what had touched it then. Raises HistoryArchived."""
    later = moment if moment == LAST_MOMENT else moment + timedelta(microseconds=1)
    (found,) = await states_before(connection, q, account, (later,))
    return found


def _opened(account: AccountDetails) -> State:
    zero = ZEROS[account.scale]
    return State(0, zero, zero, account.ctime)


def _state(account: AccountDetails, version: int, row: Keyed) -> State:
    held = ZEROS[account.scale] if row["held"] is None else row["held"]
    return State(version, row["balance"], held, row["ctime"])


class Stretch(Struct, frozen=True):
    """Some of an account's lines, which follow each other, and how it stood before them and after them."""

    account: AccountDetails
    opening: State
    closing: State

    @property
    def versions(self) -> Versions:
        """The first and the last; the last is the lower if there is none."""
        return self.opening.version + 1, self.closing.version


async def stretch(
    connection: "AnyConnection", q: Queries, account: AccountDetails, since: datetime | None, until: datetime | None
) -> Stretch:
    """An account's lines from a moment on, and before another; None: from the first on, to what is the last now.

    Raises HistoryArchived, if any of them is archived too.
    """
    moments = [moment for moment in (since, until) if moment is not None]
    found = await states_before(connection, q, account, moments) if moments else []
    opening = _opened(account) if since is None else found[0]
    closing = await state(connection, q, account, account.version) if until is None else found[-1]
    if await archived.lacks(connection, q, account, opening.version + 1, closing.version):
        raise await archived.refusal(connection, q, account)
    return Stretch(account, opening, closing if closing.version > opening.version else opening)
