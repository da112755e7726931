"""Accounts that are asked for by name: the names that commands have, and the commands with the ids in their place.

A name never changes, so what it stands for is found before the locks, and is still true after them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from koshel.core.commands import (
    UNRESOLVED,
    ChangeAccount,
    Command,
    Enqueue,
    EnsureAccount,
    Execute,
    Group,
    Hold,
    Move,
    OpenAccount,
    Sided,
    Split,
)
from koshel.core.exchanging import Exchange

QualifiedName: TypeAlias = tuple[int, str]  # (ledger id, name)
AccountIds: TypeAlias = Mapping[QualifiedName, int]


def names(command: Command) -> Iterator[QualifiedName]:
    """The names that are to be found for a command, each with its ledger id; not those whose ids it has already."""
    match command:
        case Group():
            for member in command.members:
                if type(member) is not Move or UNRESOLVED in (member.source_account_id, member.target_account_id):
                    yield from names(member)
        case Enqueue() | Execute():
            yield from names(command.command)
        case _:
            for name, id_ in _asked(command):
                if name is not None and not id_:
                    yield command.ledger_id, name


def _asked(command: Command) -> Sequence[tuple[str | None, int | None]]:
    """The name and the id of each account that is asked for."""
    match command:
        case Move() | Hold() | Exchange():
            return (command.source, command.source_account_id), (command.target, command.target_account_id)
        case Split():
            legs = [(leg.source, leg.source_account_id) for leg in command.sources]
            legs += [(leg.target, leg.target_account_id) for leg in command.targets]
            return [
                *((command.source, command.source_account_id), (command.target, command.target_account_id)),
                *legs,
            ]
        case ChangeAccount():
            return ((command.account, command.account_id),)
        case OpenAccount() | EnsureAccount():
            return ((command.name, UNRESOLVED),)
        case _:
            return ()


def opened_names(commands: Iterable[Command]) -> Iterator[QualifiedName]:
    """The names that accounts are to be opened with, each with its ledger id."""
    for command in commands:
        if isinstance(command, Group):
            yield from opened_names(command.members)
        elif isinstance(command, OpenAccount | EnsureAccount) and command.name is not None:
            yield command.ledger_id, command.name


def exchanges(command: Command) -> Iterator[Exchange]:
    """The exchanges that are decided with a command: itself, those of a group, and one that was queued."""
    if type(command) is Exchange:
        yield command
    elif type(command) is Group:
        for member in command.members:
            if type(member) is Exchange or type(member) is Execute:
                yield from exchanges(member)
    elif type(command) is Execute and type(command.command) is Exchange:
        yield command.command


def with_exchanges(command: Any, others: Iterator[Exchange]) -> Any:
    """The command with others in the place of these, in their order."""
    if type(command) is Exchange:
        return next(others)
    if type(command) is Group and any(exchanges(command)):
        return replace(command, members=tuple(with_exchanges(one, others) for one in command.members))
    if type(command) is Execute and type(command.command) is Exchange:
        return replace(command, command=next(others))
    return command


def resolved(command: Any, found: AccountIds, new: AccountIds) -> Any:
    """The command with the ids of the accounts that it names: those that were found, and those that may be opened."""
    match command:
        case Move():
            source = _side(command, command.source, command.source_account_id, found, new)
            return with_sides(command, source, _side(command, command.target, command.target_account_id, found, new))
        case Hold() | Exchange():
            source = _side(command, command.source, command.source_account_id, found, new)
            target = _side(command, command.target, command.target_account_id, found, new)
            return replace(command, source_account_id=source, target_account_id=target)
        case Split():
            return _resolved_split(command, found, new)
        case ChangeAccount():
            return replace(command, account_id=_side(command, command.account, command.account_id, found, new))
        case OpenAccount() | EnsureAccount():
            return replace(command, id=_side(command, command.name, UNRESOLVED, found, new))
        case Group():
            members = tuple(resolved(one, found, new) if any(names(one)) else one for one in command.members)
            return replace(command, members=members)
        case Enqueue():  # kept for later, when what is opened now may have turned out not to be
            return replace(command, command=resolved(command.command, found, {}))
        case Execute():
            return replace(command, command=resolved(command.command, found, new))
        case _:
            return command


def with_sides(move: Move, source_id: int | None, target_id: int | None) -> Move:
    """The move with these ids. Field by field, which is several times faster than `replace`."""
    return Move(
        move.ledger_id,
        move.kind,
        source_id,
        target_id,
        move.amount,
        move.key,
        move.source,
        move.target,
        metadata=move.metadata,
        reference=move.reference,
        description=move.description,
        effective_on=move.effective_on,
    )


def _resolved_split(command: Split, *ids: AccountIds) -> Split:
    return replace(
        command,
        source_account_id=_side(command, command.source, command.source_account_id, *ids),
        target_account_id=_side(command, command.target, command.target_account_id, *ids),
        sources=tuple(
            replace(leg, source_account_id=_side(command, leg.source, leg.source_account_id, *ids))
            for leg in command.sources
        ),
        targets=tuple(
            replace(leg, target_account_id=_side(command, leg.target, leg.target_account_id, *ids))
            for leg in command.targets
        ),
    )


def _side(
    command: Sided | Split | ChangeAccount | OpenAccount | EnsureAccount, name: str | None, id_: Any, *ids: Any
) -> Any:
    """The id of an account: it was given, or the name's."""
    if name is None or id_:
        return id_
    place = command.ledger_id, name
    return ids[0].get(place) or ids[1].get(place, UNRESOLVED)
