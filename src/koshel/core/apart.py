"""Which commands can be decided now, and which must wait until others have unlocked their accounts."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from koshel.core.commands import Command, Enqueue, Move
from koshel.core.model import Original
from koshel.core.reach import reach


def apart(
    commands: Sequence[Command], originals: Mapping[int, Original], locked: AbstractSet[int]
) -> list[Command | None]:
    """The commands in order, with None in the place of each that has to wait.

    A command waits if it reaches one of the `locked` accounts. So does each command after it that reaches an account
    of a waiting command, or has its key: order along an account and along a key stays as it was, and so each answer is
    the same as if nothing had been locked. A promise locks nothing, but is not made before what waits on its accounts.
    """
    waiting: set[int | None] = set()  # the accounts of the commands that wait
    keys: set[tuple[int, str]] = set()  # and their keys
    free: list[Command | None] = []
    for command in commands:
        if type(command) is Move and command.key is None:  # as nearly all are
            source, target = command.source_account_id, command.target_account_id
            if not (source in locked or target in locked or source in waiting or target in waiting):
                free.append(command)
                continue
        reached = reach((command,), originals)
        is_promise = type(command) is Enqueue
        accounts = {id_ for _, id_ in reached.shown} if is_promise else reached.accounts
        accounts.discard(None)  # the world outside is never locked
        may_lock = is_promise or locked.isdisjoint(accounts)
        if may_lock and waiting.isdisjoint(accounts) and keys.isdisjoint(reached.keys):
            free.append(command)
        else:
            waiting |= accounts
            keys |= reached.keys
            free.append(None)
    return free
