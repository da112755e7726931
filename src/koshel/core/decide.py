"""decide: accounts + commands → outcomes. Pure: the same arguments give the same answer.

The law: `decide(book, a + b) == decide(book, a) + decide(after(book, decide(book, a)), b)`.
Where one batch ends and the next begins never changes an answer.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from koshel.core.accounts import change_account, open_account
from koshel.core.annotations import annotate
from koshel.core.book import after, apply, remember
from koshel.core.commands import (
    AutoCapture,
    Capture,
    ChangeAccount,
    Command,
    Deferrable,
    Due,
    Enqueue,
    EnsureAccount,
    Execute,
    Expire,
    Group,
    Hold,
    Move,
    OpenAccount,
    Refund,
    Split,
    Void,
)
from koshel.core.ending import EndSplit
from koshel.core.ends import end_split
from koshel.core.enqueue import enqueue
from koshel.core.exchange import exchange
from koshel.core.exchanging import Exchange
from koshel.core.groups import grouped
from koshel.core.holds import capture, hold, release
from koshel.core.model import Book, Declined, Executed, Grouped, Outcome, Posted, State
from koshel.core.moves import move
from koshel.core.notes import Annotate
from koshel.core.posting import with_id
from koshel.core.receipts import replay
from koshel.core.refunds import refund
from koshel.core.splits import split


def decide(book: Book, commands: Sequence[Command]) -> list[Outcome]:
    """One outcome for each command, in order; each sees the effects of those before it."""
    ahead = after(book, ())
    return [_pass(ahead, command) for command in commands]


def decide_in_turn(book: Book, commands: Sequence[Command]) -> Iterator[Outcome]:
    """As `decide`, but each command only when its outcome is asked for: what was decided can be written meanwhile."""
    ahead = after(book, ())
    for command in commands:
        yield _pass(ahead, command)


def _pass(book: Book, command: Command, *, is_member: bool = False) -> Outcome:
    """The command's outcome; the book moves past it, in place."""
    outcome: Outcome | None = replay(book, command, is_member=is_member)
    if outcome is None:
        if type(command) is Move:  # as nearly all are
            outcome = move(book, command)
        elif type(command) is Group:
            return _pass_group(book, command)
        elif type(command) is Split:
            return _pass_split(book, command)
        else:
            outcome = _decide_one(book, command)
    apply(book.state, outcome)
    return outcome


def _pass_group(book: Book, group: Group) -> Grouped | Declined:
    assert all(member.ledger_id == group.ledger_id for member in group.members), "money moves only where it is asked"
    ahead = after(book, ())
    outcome = grouped(group, [_pass(ahead, member, is_member=True) for member in group.members])
    if isinstance(outcome, Grouped):
        book.state = ahead.state  # it is past the members already
    remember(book.state, outcome)
    return outcome


def _pass_split(book: Book, command: Split) -> Grouped | Declined:
    ahead = Book(book.facts, State({}))
    outcome = split(book, command, ahead)
    if isinstance(outcome, Grouped):
        book.state.accounts |= ahead.state.accounts  # they are past the legs already
        book.state.turnovers |= ahead.state.turnovers
    remember(book.state, outcome)
    return outcome


def _decide_one(book: Book, command: Command) -> Outcome:
    match command:
        case OpenAccount() | EnsureAccount():
            return open_account(book, command)
        case ChangeAccount():
            return change_account(book, command)
        case Annotate():
            return annotate(book, command)
        case Enqueue():
            return enqueue(book, command)
        case _:
            assert not isinstance(command, Group | Split), "these are decided one transaction after the other"
            return _transaction(book, command)


def _transaction(book: Book, command: Deferrable | Due | Execute) -> Posted | Declined | Grouped | Executed:
    match command:
        case Move():
            return move(book, command)
        case Hold():
            return hold(book, command)
        case Capture() | AutoCapture():
            return capture(book, command)
        case Void() | Expire():
            return release(book, command)
        case Refund():
            return refund(book, command)
        case Split():
            return split(book, command, Book(book.facts, State({})))
        case Exchange():
            return exchange(book, command)
        case Execute():
            return _execute(book, command)
        case EndSplit():
            return end_split(book, command)
        case _:
            assert_never(command)


def _execute(book: Book, command: Execute) -> Executed:
    """What was queued keeps the id that it was given then; of several transactions the first has it."""
    outcome = _transaction(book, command.command)
    assert not isinstance(outcome, Executed)
    return Executed(command, with_id(outcome, command))
