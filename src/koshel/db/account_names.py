"""Accounts that are asked for by name: their ids, from memory, or by one statement for all names of a batch."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from koshel.core.commands import Move
from koshel.core.names import QualifiedName, names, opened_names, resolved
from koshel.db import columns
from koshel.db.known import AccountNames
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


async def resolve(
    connection: "AnyConnection",
    q: Queries,
    memory: AccountNames,
    commands: list[Any],
    take_ids: Callable[[int], Awaitable[Sequence[int]]],
) -> None:
    """In place: the commands with the ids of the accounts that they name; UNRESOLVED stays what no account is called.

    An account that is to be opened with a name that no account has gets an id of `take_ids`, and commands that name it
    get the same: one that is decided after it was opened finds it.
    """
    naming = []
    for place, one in enumerate(commands):
        if type(one) is Move:  # as nearly all are, and nearly all that name an account name one that is known
            if one.source is not None or one.target is not None:
                known = memory.with_ids(one)
                if known is None:
                    naming.append(place)
                else:
                    commands[place] = known
        elif any(names(one)):
            naming.append(place)
    if not naming:
        return
    wanted = {name for place in naming for name in names(commands[place])}
    ids = memory.find(wanted)
    if missing := wanted - ids.keys():
        rows = await connection.fetch(q.find_names, *columns.texts(missing))
        found = {(ledger_id, name): id_ for ledger_id, name, id_ in rows}
        memory.add(found)
        ids |= found
    new: dict[QualifiedName, int] = {}
    opened = dict.fromkeys(opened_names(commands[place] for place in naming))
    if unknown := [name for name in opened if name not in ids]:
        new = dict(zip(unknown, await take_ids(len(unknown)), strict=True))
    for place in naming:
        commands[place] = resolved(commands[place], ids, new)
