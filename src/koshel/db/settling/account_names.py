"""Accounts that are asked for by name: their ids, from memory, or by one statement for all names of a batch."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from sys import intern
from typing import TYPE_CHECKING, Any, TypeAlias

from koshel.core.commands import Move
from koshel.core.exchanging import Exchange
from koshel.core.names import AccountIds, QualifiedName, exchanges, names, opened_names, resolved, with_exchanges
from koshel.db.mapping import columns
from koshel.db.queries import Queries
from koshel.db.settling import exchange_accounts
from koshel.db.settling.known import AccountNames, Known

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

TakeIds: TypeAlias = Callable[[int], Awaitable[Sequence[int]]]


async def resolve(
    connection: "AnyConnection", q: Queries, known: Known, commands: list[Any], take_ids: TakeIds
) -> None:
    """In place: the commands with the ids of the accounts that they name; UNRESOLVED stays what no account is called.

    An account that is to be opened with a name that no account has gets an id of `take_ids`, and commands that name it
    get the same: one that is decided after it was opened finds it. An exchange names exchange accounts besides.
    """
    naming = []
    for place, one in enumerate(commands):
        if type(one) is Move:  # as nearly all are, and nearly all that name an account name one that is known
            if one.source is not None or one.target is not None:
                with_ids = known.names.with_ids(one)
                if with_ids is None:
                    naming.append(place)
                else:
                    commands[place] = with_ids
        elif any(names(one)) or any(exchanges(one)):
            naming.append(place)
    if not naming:
        return
    new: dict[QualifiedName, int] = {}
    ids = await _find(connection, q, known.names, {name for place in naming for name in names(commands[place])})
    await _add_new(new, ids, opened_names(commands[place] for place in naming), take_ids)
    for place in naming:
        commands[place] = resolved(commands[place], ids, new)
    if wanted := [one for place in naming for one in exchanges(commands[place])]:
        currencies = await exchange_accounts.currencies(connection, q, known, wanted)
        needed = [exchange_accounts.needed(one, currencies, commands, new) for one in wanted]
        exchange_accounts.add_named(wanted, needed)
        named = dict.fromkeys(name for each in needed for name in each.values())
        ids = await _find(connection, q, known.names, named)
        await _add_new(new, ids, named, take_ids)
        asked = (exchange_accounts.resolved(*one, new | ids) for one in zip(wanted, needed, strict=True))
        _resolve_late(commands, naming, new, iter([*asked]))


def _resolve_late(commands: list[Any], naming: Iterable[int], new: AccountIds, asked: Iterator[Exchange]) -> None:
    """In place: with the exchanges that have their exchange accounts.

    Whoever names an exchange account finds it, if an exchange before it may have opened it.
    """
    for place in naming:
        one = with_exchanges(commands[place], asked)
        commands[place] = one if new.keys().isdisjoint(names(one)) else resolved(one, {}, new)


async def _find(
    connection: "AnyConnection", q: Queries, memory: AccountNames, wanted: Iterable[QualifiedName]
) -> dict[QualifiedName, int]:
    """The ids of those that there are."""
    ids = memory.find(wanted)
    if missing := set(wanted) - ids.keys():
        rows = await connection.fetch(q.find_names, *columns.texts(missing))
        found = {(ledger_id, intern(name)): id_ for ledger_id, name, id_ in rows}
        memory.add(found)
        ids |= found
    return ids


async def _add_new(
    new: dict[QualifiedName, int], ids: AccountIds, wanted: Iterable[QualifiedName], take_ids: TakeIds
) -> None:
    """An id for each of these names that has none yet."""
    if unknown := [name for name in dict.fromkeys(wanted) if name not in ids and name not in new]:
        new |= dict(zip(unknown, await take_ids(len(unknown)), strict=True))
