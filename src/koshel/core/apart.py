"""Which commands can be decided now, and which must wait until others have unlocked their accounts."""

from collections.abc import Iterable, Mapping, Sequence

from koshel.core.commands import Command, Move
from koshel.core.model import Original
from koshel.core.reach import reach


def apart(
    commands: Sequence[Command], originals: Mapping[int, Original], locked: Iterable[int]
) -> list[Command | None]:
    """The commands in order, with None in the place of each that has to wait.

    A command waits if it reaches one of the `locked` accounts. So does each command after it that reaches an account
    of a waiting command, or has its key: order along an account and along a key stays as it was, and so each answer is
    the same as if nothing had been locked.
    """
    accounts: set[int | None] = set(locked)
    keys: set[tuple[int, str]] = set()
    free: list[Command | None] = []
    for command in commands:
        if type(command) is Move:  # as nearly all are
            its_accounts = {command.source_account_id, command.target_account_id}
            its_keys = {(command.ledger_id, command.key)} if command.key is not None else set()
        else:
            reached = reach((command,), originals)
            its_accounts, its_keys = reached.accounts, reached.keys
        its_accounts.discard(None)  # the world outside is never locked
        if accounts.isdisjoint(its_accounts) and keys.isdisjoint(its_keys):
            free.append(command)
        else:
            accounts |= its_accounts
            keys |= its_keys
            free.append(None)
    return free
