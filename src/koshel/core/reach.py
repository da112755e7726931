"""What commands reach: the accounts to lock, and all else that must be read before they can be decided."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from koshel.core.accounts import currency_of
from koshel.core.commands import (
    Capture,
    ChangeAccount,
    Command,
    Enqueue,
    Execute,
    Expire,
    Group,
    Hold,
    Move,
    OpenAccount,
    Refund,
    Void,
)
from koshel.core.model import Original

Place = tuple[int, int]  # (ledger id, id)


class Reach(Struct):
    """What a batch needs to know."""

    accounts: set[int | None] = field(default_factory=set)  # to lock; None: the world outside
    ledgers: set[int] = field(default_factory=set)  # those accounts'
    keys: set[tuple[int, str]] = field(default_factory=set)  # with their ledger ids
    currencies: set[str] = field(default_factory=set)  # of accounts to be opened
    changed: set[Place] = field(default_factory=set)  # accounts
    holds: set[Place] = field(default_factory=set)
    refunded: set[Place] = field(default_factory=set)
    shown: set[tuple[int, int | None]] = field(default_factory=set)  # accounts, not to lock: a queued transaction's


def references(commands: Iterable[Command]) -> set[Place]:
    """The transactions that the commands refer to."""
    found = set()
    for command in _parts(commands):
        if type(command) is Move:  # as nearly all are
            continue
        one = command.command if isinstance(command, Enqueue | Execute) else command
        if isinstance(one, Capture | Void | Expire | Refund):
            found.add((one.ledger_id, one.parent_id))
    return found


def reach(commands: Iterable[Command], originals: Mapping[int, Original]) -> Reach:
    """What must be known to decide these; `originals` are those of their references that were found."""
    reached = Reach()
    for command in commands:
        if command.key is not None:
            reached.keys.add((command.ledger_id, command.key))
        if type(command) is Move:  # as nearly all are
            reached.ledgers.add(command.ledger_id)
            reached.accounts.add(command.source_account_id)
            reached.accounts.add(command.target_account_id)
        elif type(command) is Group:
            for member in command.members:
                if member.key is not None:
                    reached.keys.add((member.ledger_id, member.key))
                _add(reached, member, originals)
        else:
            _add(reached, command, originals)
    return reached


def _parts(commands: Iterable[Command]) -> Iterator[Command]:
    """The commands, and in the place of each group its members."""
    for command in commands:
        if isinstance(command, Group):
            yield from command.members
        else:
            yield command


def _add(reached: Reach, command: Command, originals: Mapping[int, Original]) -> None:
    match command:
        case Move() | Hold():
            reached.ledgers.add(command.ledger_id)
            reached.accounts.add(command.source_account_id)
            reached.accounts.add(command.target_account_id)
        case Capture() | Void() | Expire():
            reached.holds.add((command.ledger_id, command.parent_id))
            _add_sides(reached, originals.get(command.parent_id))
        case Refund():
            reached.refunded.add((command.ledger_id, command.parent_id))
            _add_sides(reached, originals.get(command.parent_id))
        case Execute():
            _add(reached, command.command, originals)
        case OpenAccount():
            reached.currencies.add(currency_of(command))
        case ChangeAccount():
            reached.ledgers.add(command.ledger_id)
            reached.accounts.add(command.account_id)
            reached.changed.add((command.ledger_id, command.account_id))
        case Enqueue():
            _add_shown(reached, command, originals)
        case _:
            raise AssertionError(command)


def _add_sides(reached: Reach, original: Original | None) -> None:
    if original is not None:
        reached.ledgers.add(original.ledger_id)
        reached.accounts.add(original.source_account_id)
        reached.accounts.add(original.target_account_id)


def _add_shown(reached: Reach, command: Enqueue, originals: Mapping[int, Original]) -> None:
    request = command.command
    sides = request if isinstance(request, Move | Hold) else originals.get(request.parent_id)
    if sides is not None:
        reached.shown.add((command.ledger_id, sides.source_account_id))
        reached.shown.add((command.ledger_id, sides.target_account_id))
