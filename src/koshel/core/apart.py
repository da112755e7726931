"""Which commands can be decided now, and which must wait until others have unlocked their accounts."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from msgspec import Struct

from koshel.core.commands import Command, Enqueue, Execute, Move
from koshel.core.originals import Original
from koshel.core.reach import QualifiedId, qualified, reach, references

# What commands are settled in order along: an account, as (ledger id, id); an idempotency key, as (ledger id, key); or
# a queued transaction, as (ledger id, id, "transaction"), which a capture or a refund follows that was queued after it.
# Each has the ledger of the command: who names another ledger's id does not wait with that ledger's commands.
Line: TypeAlias = QualifiedId | tuple[int, str] | tuple[int, int, str]
Lines: TypeAlias = frozenset[Line]


class PutOff(Struct, frozen=True):
    """A command that has to wait."""

    lines: Lines  # all that it is on
    on: Lines  # those that stop it, and its key: what comes later on one of these waits behind it
    lasting: Lines  # of these, those that will for long


def apart(
    commands: Sequence[Command],
    originals: Mapping[int, Original],
    locked: AbstractSet[QualifiedId],
    taken: Iterable[Line] = (),
    *,
    watched: AbstractSet[Line] | None = None,
    held: AbstractSet[QualifiedId] | None = None,
) -> list[Command | PutOff]:
    """The commands in order, with a PutOff in the place of each that has to wait.

    A command waits if it reaches one of the `locked` accounts, or if it is on a line that is `taken`: that earlier
    commands wait on. So does each command after it that is on such a line too. An Enqueue locks nothing, but is not
    done before what waits on its accounts, if all lines are watched.

    What comes later on a line that is `watched` waits behind a waiting command as well, though nobody has locked that.
    None: all are. Then each answer is the same as if nothing had been locked.

    `held`: those of the locked accounts that will be for long. A command that needs none of these, nor what is taken,
    is on no line that stops it. None: that is not known, so it is on all of them.
    """
    waiting: set[Line] = set(taken)
    free: list[Command | PutOff] = []
    for command in commands:
        if type(command) is Move and command.key is None:  # as nearly all are
            ledger_id = command.ledger_id
            sides = (ledger_id, command.source_account_id), (ledger_id, command.target_account_id)
            if locked.isdisjoint(sides) and waiting.isdisjoint(sides):
                free.append(command)
                continue
        accounts, others = _lines(command, originals)
        if type(command) is Enqueue and watched is not None:
            accounts = set()  # it can be queued while others hold its accounts for long: it is settled in its time
        its = frozenset[Line]((*accounts, *others))
        stops = its & waiting
        to_lock = frozenset[QualifiedId]() if type(command) is Enqueue else frozenset(accounts & locked)
        if stops or to_lock:
            also = its if watched is None else its & watched
            lasting = frozenset[Line](() if held is None else to_lock & held)
            on = stops | (to_lock if held is None else lasting)
            on |= _keys(others) if on else frozenset()
            waiting |= on | also
            free.append(PutOff(its, on, lasting))
        else:
            free.append(command)
    return free


def lines(command: Command) -> Lines:
    """All that the command says itself that it is settled in order along."""
    accounts, others = _lines(command, {})
    return frozenset[Line]((*accounts, *others, *map(_queued, references((command,)))))


def keys(command: Command) -> Lines:
    """Of its lines the keys."""
    return _keys(lines(command))


def _keys(others: Iterable[Line]) -> Lines:
    return frozenset(one for one in others if isinstance(one[1], str))


def _queued(id_: QualifiedId) -> Line:
    return *id_, "transaction"


def _lines(command: Command, originals: Mapping[int, Original]) -> tuple[set[QualifiedId], set[Line]]:
    """The accounts of a command, and its other lines. The world outside is no account, and never locked."""
    reached = reach((command,), originals)
    if type(command) is Enqueue:
        accounts = {(ledger_id, id_) for ledger_id, id_ in reached.shown if id_ is not None}
    else:
        accounts = qualified(reached.accounts)
    others: set[Line] = {*reached.keys}
    if type(command) is Execute:
        others.update(map(_queued, ((command.ledger_id, command.id), *references((command,)))))
    return accounts, others
