"""Accounts, books and commands in one line each, for tables of test data. Money is given as text."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import count
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from koshel.core.book import after, original
from koshel.core.commands import (
    AutoCapture,
    Capture,
    Command,
    Deferrable,
    Enqueue,
    Execute,
    Expire,
    Group,
    Hold,
    Kind,
    Member,
    Move,
    Refund,
    Sided,
    Status,
    Void,
)
from koshel.core.decide import decide
from koshel.core.labelled import Metadata
from koshel.core.model import (
    Account,
    AccountDetails,
    Book,
    Executed,
    Facts,
    Grouped,
    Outcome,
    Posted,
    Queued,
    State,
)
from koshel.core.money import minus
from koshel.core.originals import Pending
from koshel.db.settling.ids import renewed

NOW = datetime(2026, 11, 22, 10, 35, tzinfo=UTC)
DAY = 86_400  # seconds; what a hold lasts if nothing is said
SCHEDULE_MAX = 10 * DAY
SCALES = {"JPY": 0, "USD": 2, "KWD": 3, "WEI": 18}
FIRST_ID = 101  # of the transactions that `kept` puts on the books
_exact = Context(prec=40, traps=[Inexact, InvalidOperation])

SidedT = TypeVar("SidedT", bound=Sided)


def account(
    account_id: int,
    balance: str,
    currency: str = "USD",
    *,
    held: str = "0",
    floor: str = "0",
    ceiling: str | None = "999999",
    version: int = 0,
    revision: int = 0,
    ledger_id: int = 1,
    status: Status = Status.OPEN,
    name: str | None = None,
) -> Account:
    """An account, its money with the decimals of its currency."""
    scale = SCALES[currency]
    return Account(
        ledger_id,
        account_id,
        currency,
        scale,
        scaled(balance, scale),
        scaled(held, scale),
        version,
        revision,
        scaled(floor, scale),
        None if ceiling is None else scaled(ceiling, scale),
        status,
        name,
    )


def scaled(amount: str, scale: int) -> Decimal:
    """The amount with exactly so many decimals; it must not need rounding."""
    return Decimal(amount).quantize(Decimal(1).scaleb(-scale), context=_exact)


def detailed(one: Account) -> AccountDetails:
    """The account with what most decisions do not need."""
    return AccountDetails(**asdict(one), email=f"{one.id}@example.com", metadata={"of": "old"}, ctime=NOW)


def book(*accounts: Account) -> Book:
    """What a decision may look at."""
    shown = {one.id: (one.ledger_id, one.currency, one.scale, one.name) for one in accounts}
    state = State({one.id: one for one in accounts}, details={one.id: detailed(one) for one in accounts})
    return Book(Facts(NOW, SCALES, shown), state)


def kept(start: Book, *commands: Command, first_id: int = FIRST_ID) -> Book:
    """The book once these are settled one by one: the n-th transaction is referred to by the n-th id."""
    ids = count(first_id)
    for command in commands:
        start = written(start, decide(start, [command]), ids)
    return start


def written(start: Book, outcomes: list[Outcome], ids: Iterator[int]) -> Book:
    """The book after these, which are given their ids, as the database would say it."""
    given: dict[int, Posted | Queued] = {}
    for one in parts(outcomes):
        number = next(ids)
        if isinstance(one, Posted | Queued):
            given[id(one)] = replace(one, id=number)
    outcomes = renewed(outcomes, given)
    ahead = after(start, outcomes)
    for one in parts(outcomes):
        if isinstance(one, Posted):
            ahead.state.originals[one.id] = original(one)
            ahead.state.refunded[one.id] = minus(one.amount, one.amount)
            ahead.state.noted[one.id] = one, 0
        elif isinstance(one, Queued):
            ahead.state.pending[one.id] = Pending(one.command.ledger_id, one.kind, "queued")
    return ahead


def parts(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes, and in the place of each group its members'."""
    for outcome in outcomes:
        if isinstance(outcome, Grouped):
            yield from parts(outcome.outcomes)
        else:
            yield outcome


def postings(outcomes: Iterable[Outcome]) -> list[Posted]:
    """The transactions among the outcomes, members of groups and executed ones too."""
    deeds = (one.outcome if isinstance(one, Executed) else one for one in parts(outcomes))
    return [one for one in parts(deeds) if isinstance(one, Posted)]


def move(ledger_id: int, sides: tuple[int | None, int | None], amount: str) -> Move:
    """Money from one side to the other; None is the world outside."""
    source, target = sides
    kind = Kind.PAYMENT if source is None else Kind.WITHDRAWAL if target is None else Kind.TRANSFER
    return Move(ledger_id, kind, source, target, Decimal(amount))


def by_names(command: SidedT, *names: str | None) -> SidedT:
    """The command, asking for source and target by these names, or by those of the ids that it has."""
    ids = [command.source_account_id, command.target_account_id]
    source, target = names or [None if id_ is None else f"users:{id_}" for id_ in ids]
    named: Any = replace(command, source=source, target=target)
    return named  # type: ignore[no-any-return]


def payment(
    target: int, amount: str, *, key: str | None = None, ledger_id: int = 1, metadata: Metadata | None = None
) -> Move:
    """Money in."""
    return Move(ledger_id, Kind.PAYMENT, None, target, Decimal(amount), key, metadata=metadata or {})


def withdrawal(
    source: int, amount: str, *, key: str | None = None, ledger_id: int = 1, metadata: Metadata | None = None
) -> Move:
    """Money out."""
    return Move(ledger_id, Kind.WITHDRAWAL, source, None, Decimal(amount), key, metadata=metadata or {})


def transfer(
    source: int,
    target: int,
    amount: str,
    *,
    key: str | None = None,
    ledger_id: int = 1,
    metadata: Metadata | None = None,
) -> Move:
    """Money across."""
    return Move(ledger_id, Kind.TRANSFER, source, target, Decimal(amount), key, metadata=metadata or {})


def hold(
    source: int,
    target: int | None,
    amount: str,
    *,
    seconds: int | UnsetType = UNSET,
    capture_at: datetime | UnsetType = UNSET,
    key: str | None = None,
    ledger_id: int = 1,
    metadata: Metadata | None = None,
) -> Hold:
    """Money that waits, for a day if nothing is said."""
    return Hold(
        ledger_id, source, target, Decimal(amount), seconds, key, DAY, capture_at=capture_at, metadata=metadata or {}
    )


def capture(
    parent_id: int, amount: str | None = None, *, final: bool = True, key: str | None = None, ledger_id: int = 1
) -> Capture:
    """Money that has waited enough."""
    return Capture(ledger_id, parent_id, None if amount is None else Decimal(amount), final, key=key)


def void(parent_id: int, *, key: str | None = None, ledger_id: int = 1) -> Void:
    """Money that has waited for nothing."""
    return Void(ledger_id, parent_id, key=key)


def expire(parent_id: int, *, ledger_id: int = 1) -> Expire:
    """Money that has waited too long."""
    return Expire(ledger_id, parent_id)


def auto_capture(parent_id: int, *, ledger_id: int = 1) -> AutoCapture:
    """Money that was not to wait any longer."""
    return AutoCapture(ledger_id, parent_id)


def refund(parent_id: int, amount: str | None = None, *, key: str | None = None, ledger_id: int = 1) -> Refund:
    """Money back."""
    return Refund(ledger_id, parent_id, None if amount is None else Decimal(amount), key=key)


def group(*members: Member, atomic: bool = True, key: str | None = None, ledger_id: int = 1) -> Group:
    """All together, or each for itself."""
    return Group(ledger_id, members, atomic, key)


def enqueue(command: Deferrable, execute_at: datetime | UnsetType = UNSET) -> Enqueue:
    """Later, under the command's own key; a time may be ten days ahead."""
    limit = UNSET if execute_at is UNSET else SCHEDULE_MAX
    return Enqueue(command.ledger_id, command, command.key, execute_at, limit)


def execute(id_: int, command: Deferrable) -> Execute:
    """Now, what was queued with this id."""
    return Execute(command.ledger_id, id_, command)
