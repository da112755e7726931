"""Which commands can be decided now, and which must wait until others have unlocked their accounts."""

from collections.abc import Iterable, Mapping, Sequence

from koshel.core.commands import Command, Enqueue, Move
from koshel.core.model import Original
from koshel.core.reach import reach


def apart(
    commands: Sequence[Command], originals: Mapping[int, Original], locked: Iterable[int]
) -> list[Command | None]:
    """The commands in order, with None in the place of each that has to wait.

    A command waits if it reaches one of the `locked` accounts. So does each command after it that reaches an account
    of a waiting command, or has its key: order along an account and along a key stays as it was, and so each answer is
    the same as if nothing had been locked. A promise locks nothing, but is not made before what waits on its accounts.
    """
    locked = set(locked)
    waiting: set[int | None] = set()  # the accounts of the commands that wait
    keys: set[tuple[int, str]] = set()  # and their keys
    free: list[Command | None] = []
    for command in commands:
        if type(command) is Move:  # as nearly all are
            accounts = {command.source_account_id, command.target_account_id}
            its_keys = {(command.ledger_id, command.key)} if command.key is not None else set()
        else:
            reached = reach((command,), originals)
            accounts = {id_ for _, id_ in reached.shown} if type(command) is Enqueue else reached.accounts
            its_keys = reached.keys
        accounts.discard(None)  # the world outside is never locked
        to_lock = set() if type(command) is Enqueue else accounts
        if locked.isdisjoint(to_lock) and waiting.isdisjoint(accounts) and keys.isdisjoint(its_keys):
            free.append(command)
        else:
            waiting |= accounts
            keys |= its_keys
            free.append(None)
    return free
