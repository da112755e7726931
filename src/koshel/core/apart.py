"""Which commands can be decided now, and which must wait until others have unlocked their accounts."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from koshel.core.commands import Command, Enqueue, Execute, Move
from koshel.core.model import Original
from koshel.core.reach import reach, references

# What commands are settled in order along: an account, by its id; an idempotency key, as (ledger id, key); or a queued
# transaction, as ("transaction", id), which a capture or a refund follows that was queued after it.
Line: TypeAlias = int | tuple[int, str] | tuple[str, int]
Lines: TypeAlias = frozenset[Line]


def apart(
    commands: Sequence[Command],
    originals: Mapping[int, Original],
    locked: AbstractSet[int],
    taken: Iterable[Line] = (),
) -> list[Command | Lines]:
    """The commands in order, with its lines in the place of each that has to wait.

    A command waits if it reaches one of the `locked` accounts, or if it is on a line that is `taken`: that earlier
    commands wait on. So does each command after it that is on a line of a waiting command: order along an account and
    along a key stays as it was, and so each answer is the same as if nothing had been locked. A promise locks nothing,
    but is not made before what waits on its accounts.
    """
    waiting: set[Line | None] = set(taken)
    free: list[Command | Lines] = []
    for command in commands:
        if type(command) is Move and command.key is None:  # as nearly all are
            source, target = command.source_account_id, command.target_account_id
            if not (source in locked or target in locked or source in waiting or target in waiting):
                free.append(command)
                continue
        accounts, others = _lines(command, originals)
        to_lock = frozenset[int]() if type(command) is Enqueue else accounts
        if locked.isdisjoint(to_lock) and waiting.isdisjoint(accounts) and waiting.isdisjoint(others):
            free.append(command)
        else:
            waiting |= accounts
            waiting |= others
            free.append(frozenset[Line]((*accounts, *others)))
    return free


def _lines(command: Command, originals: Mapping[int, Original]) -> tuple[set[int], set[Line]]:
    """The accounts of a command, and its other lines. The world outside is no account, and never locked."""
    reached = reach((command,), originals)
    accounts = {id_ for _, id_ in reached.shown} if type(command) is Enqueue else reached.accounts
    others: set[Line] = {*reached.keys}
    if type(command) is Execute:
        followed = {id_ for _, id_ in references((command,))}
        others |= {("transaction", id_) for id_ in (command.id, *followed)}
    return {id_ for id_ in accounts if id_ is not None}, others
