"""decide: accounts + commands → outcomes. Pure: the same arguments give the same answer.

The law: `decide(book, a + b) == decide(book, a) + decide(after(book, decide(book, a)), b)`.
Where one batch ends and the next begins never changes an answer.
"""

from collections.abc import Sequence
from typing import assert_never

from koshel.core.accounts import change_account, open_account
from koshel.core.book import after, apply
from koshel.core.commands import (
    Capture,
    ChangeAccount,
    Command,
    Enqueue,
    Execute,
    Expire,
    Group,
    Hold,
    Member,
    Move,
    OpenAccount,
    Refund,
    Void,
)
from koshel.core.enqueue import enqueue
from koshel.core.groups import grouped
from koshel.core.holds import capture, hold, release
from koshel.core.model import Book, Declined, Executed, Outcome, Posted
from koshel.core.moves import move
from koshel.core.receipts import replay
from koshel.core.refunds import refund


def decide(book: Book, commands: Sequence[Command]) -> list[Outcome]:
    """One outcome for each command, in order; each sees the effects of those before it."""
    ahead = after(book, ())
    outcomes = []
    for command in commands:
        outcome = replay(ahead, command) or _decide_one(ahead, command)
        apply(ahead, outcome)
        outcomes.append(outcome)
    return outcomes


def _decide_one(book: Book, command: Command) -> Outcome:
    match command:
        case Move():  # nearly all are
            return move(book, command)
        case OpenAccount():
            return open_account(book, command)
        case ChangeAccount():
            return change_account(book, command)
        case Group():
            return grouped(command, decide(book, command.members))
        case Enqueue():
            return enqueue(book, command)
        case _:
            return _transaction(book, command)


def _transaction(book: Book, command: Member) -> Posted | Declined | Executed:
    match command:
        case Move():
            return move(book, command)
        case Hold():
            return hold(book, command)
        case Capture():
            return capture(book, command)
        case Void() | Expire():
            return release(book, command)
        case Refund():
            return refund(book, command)
        case Execute():
            return _execute(book, command)
        case _:
            assert_never(command)


def _execute(book: Book, command: Execute) -> Executed:
    outcome = _transaction(book, command.command)
    assert not isinstance(outcome, Executed)
    if isinstance(outcome, Posted):
        outcome.id = command.id
    return Executed(command, outcome)
