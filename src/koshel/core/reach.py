"""What commands reach: the accounts to lock, and all else that must be read before they can be decided."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from msgspec import UNSET, Struct, field

from koshel.core.accounts import currency_of
from koshel.core.commands import (
    ChangeAccount,
    Command,
    Enqueue,
    EnsureAccount,
    Execute,
    Following,
    Group,
    Kind,
    Move,
    OpenAccount,
    Refund,
    Sided,
    Split,
)
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.notes import Annotate
from koshel.core.originals import Original
from koshel.core.turnovers import Period

QualifiedId: TypeAlias = tuple[int, int]  # (ledger id, id)


class Reach(Struct):
    """What a batch needs to know."""

    accounts: defaultdict[int, set[int]] = field(
        default_factory=lambda: defaultdict(set)
    )  # to lock, by the ledger of the command that names them: an id of another ledger is no account there
    keys: set[tuple[int, str]] = field(default_factory=set)  # with their ledger ids
    currencies: set[str] = field(default_factory=set)  # of accounts to be opened
    changed: set[QualifiedId] = field(default_factory=set)  # accounts; and those that may have the name of a new one
    holds: set[QualifiedId] = field(default_factory=set)
    refunded: set[QualifiedId] = field(default_factory=set)
    noted: set[QualifiedId] = field(default_factory=set)  # transactions whose notes are to be changed
    limited: set[tuple[int, int, Period]] = field(
        default_factory=set
    )  # accounts, and windows of the limits they are given
    shown: set[tuple[int, int | None]] = field(default_factory=set)  # accounts, not to lock: a queued transaction's


def weight_of(command: Command) -> int:
    """How many transactions it may make: of a group those of its members, of a split one for each leg or hold."""
    if type(command) is Move:  # as nearly all are
        return 1
    if type(command) is Group:
        return sum([1 if type(one) is Move else weight_of(one) for one in command.members])
    if type(command) is Split:
        return len(command.pairs)
    if type(command) is EndSplit:
        return len(command.holds)
    return 2 if type(command) is Exchange else 1


def qualified(accounts: Mapping[int, AbstractSet[int]]) -> set[QualifiedId]:
    """Ids by ledger, each with its ledger."""
    return {(ledger_id, id_) for ledger_id, ids in accounts.items() for id_ in ids}


def by_ledger(accounts: Iterable[QualifiedId]) -> dict[int, set[int]]:
    """The ids of each ledger."""
    found = defaultdict[int, set[int]](set)
    for ledger_id, id_ in accounts:
        found[ledger_id].add(id_)
    return found


def references(commands: Iterable[Command]) -> set[QualifiedId]:
    """The transactions that the commands refer to."""
    found = set[QualifiedId]()
    for command in _each_command(commands):
        if type(command) is Move:  # as nearly all are
            continue
        one = command.command if isinstance(command, Enqueue | Execute) else command
        if isinstance(one, Following):
            found.update((one.ledger_id, id_) for id_ in _followed(one))
        elif isinstance(one, Annotate):
            found.add((one.ledger_id, one.transaction_id))
    return found


def reach(commands: Iterable[Command], originals: Mapping[int, Original]) -> Reach:
    """What must be known to decide these; `originals` are those of their references that were found."""
    reached = Reach()
    accounts: defaultdict[int, set[Any]] = reached.accounts
    for command in commands:
        if command.key is not None:
            reached.keys.add((command.ledger_id, command.key))
        if type(command) is Move:  # as nearly all are
            ids = accounts[command.ledger_id]
            ids.add(command.source_account_id)
            ids.add(command.target_account_id)
        elif type(command) is Group:
            for member in command.members:
                if member.key is not None:
                    reached.keys.add((member.ledger_id, member.key))
                if type(member) is Move:
                    ids = accounts[member.ledger_id]
                    ids.add(member.source_account_id)
                    ids.add(member.target_account_id)
                else:
                    _add(reached, member, originals)
        else:
            _add(reached, command, originals)
    for ids in accounts.values():
        ids.discard(None)  # the world outside, which is no account: once, and not for each command
    return reached


def _each_command(commands: Iterable[Command]) -> Iterator[Command]:
    """The commands, and in the place of each group its members."""
    for command in commands:
        if isinstance(command, Group):
            yield from command.members
        else:
            yield command


def _add(reached: Reach, command: Command, originals: Mapping[int, Original]) -> None:
    if isinstance(command, Sided):
        _add_sides(reached, command)
    elif isinstance(command, Following):
        _add_followed(reached, command, originals)
    elif isinstance(command, Split):
        _add_legs(reached.accounts[command.ledger_id], command)
    elif isinstance(command, Execute):
        _add(reached, command.command, originals)
    elif isinstance(command, OpenAccount | EnsureAccount):
        reached.currencies.add(currency_of(command))
        if command.id:  # of an account that has the name, or of one that is to get it
            _add_accounts(reached, command.ledger_id, command.id)
            reached.changed.add((command.ledger_id, command.id))
    elif isinstance(command, ChangeAccount):
        _add_accounts(reached, command.ledger_id, command.account_id)
        reached.changed.add((command.ledger_id, command.account_id))
        if command.limits is not UNSET:
            reached.limited.update((command.ledger_id, command.account_id, limit.per) for limit in command.limits)
    elif isinstance(command, Annotate):
        _add_noted(reached, command, originals)
    else:
        assert isinstance(command, Enqueue), "a group is reached member by member"
        _add_shown(reached, command, originals)


def _followed(command: Following) -> tuple[int, ...]:
    """The transactions that it follows."""
    return command.holds if isinstance(command, EndSplit) else (command.parent_id,)


def _add_followed(reached: Reach, command: Following, originals: Mapping[int, Original]) -> None:
    places = reached.refunded if isinstance(command, Refund) else reached.holds
    for id_ in _followed(command):
        places.add((command.ledger_id, id_))
        _add_sides(reached, _original(command, id_, originals))


def _add_noted(reached: Reach, command: Annotate, originals: Mapping[int, Original]) -> None:
    """With it, how it stands; and its accounts, whose locks guard both."""
    one = command.ledger_id, command.transaction_id
    original = _original(command, command.transaction_id, originals)
    if original is not None:
        reached.noted.add(one)
        (reached.holds if original.kind is Kind.HOLD else reached.refunded).add(one)
        _add_sides(reached, original)


def _add_sides(reached: Reach, sides: Sided | Original | None) -> None:
    if sides is not None:
        _add_accounts(reached, sides.ledger_id, sides.source_account_id, sides.target_account_id)
    if isinstance(sides, Exchange):
        _add_accounts(reached, sides.ledger_id, *(id_ for _, id_ in sides.exchange_accounts))


def _add_legs(accounts: set[Any], split: Split) -> None:
    """The accounts of a split; with them may be None, the world outside, which `reach` takes away."""
    accounts.add(split.source_account_id)
    accounts.add(split.target_account_id)
    accounts.update([leg.source_account_id for leg in split.sources])
    accounts.update([leg.target_account_id for leg in split.targets])


def _add_accounts(reached: Reach, ledger_id: int, *ids: int | None) -> None:
    reached.accounts[ledger_id].update(id_ for id_ in ids if id_ is not None)


def _original(command: Command, id_: int, originals: Mapping[int, Original]) -> Original | None:
    """What the command refers to, if its own ledger has that: another ledger's command may have found it."""
    original = originals.get(id_)
    return None if original is None or original.ledger_id != command.ledger_id else original


def _add_shown(reached: Reach, command: Enqueue, originals: Mapping[int, Original]) -> None:
    request = command.command
    if isinstance(request, Split):
        reached.shown.update((command.ledger_id, id_) for pair in request.pairs for id_ in pair)
        return
    if isinstance(request, Sided):
        found: list[Sided | Original | None] = [request]
    else:
        found = [_original(request, id_, originals) for id_ in _followed(request)]
    for sides in found:
        if sides is not None:
            reached.shown.add((command.ledger_id, sides.source_account_id))
            reached.shown.add((command.ledger_id, sides.target_account_id))
