"""Ids, from their sequences: those that can be foreseen are taken before anything is locked."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from koshel.core.commands import Command, Group
from koshel.core.model import Grouped, Opened, Posted, Queued
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class Ids(Struct):
    """Ids that nobody has yet. What is left over at the end is never given: a sequence may have gaps."""

    transactions: deque[int] = field(default_factory=deque)
    groups: deque[int] = field(default_factory=deque)


async def take_before(connection: "AnyConnection", q: Queries, commands: Sequence[Command]) -> Ids:
    """An id for each atomic group; and for all transactions, if a group has a key, since its receipt names them."""
    ids = Ids()
    groups = [command for command in commands if isinstance(command, Group)]
    if atomic := sum(group.atomic for group in groups):
        ids.groups.extend(await _take(connection, q.take_group_ids, atomic))
    if any(group.key is not None for group in groups):
        count = sum(len(command.members) if isinstance(command, Group) else 1 for command in commands)
        ids.transactions.extend(await _take(connection, q.take_transaction_ids, count))
    return ids


async def give_accounts(connection: "AnyConnection", q: Queries, opened: Sequence[Opened]) -> None:
    """New accounts their ids."""
    if opened:
        for one, id_ in zip(opened, await _take(connection, q.take_account_ids, len(opened)), strict=True):
            one.account = replace(one.account, id=id_)


async def give_transactions(
    connection: "AnyConnection", q: Queries, ids: Ids, transactions: Sequence[Posted | Queued]
) -> None:
    """Transactions theirs, in order."""
    if (missing := len(transactions) - len(ids.transactions)) > 0:
        ids.transactions.extend(await _take(connection, q.take_transaction_ids, missing))
    for one in transactions:
        one.id = ids.transactions.popleft()


def give_groups(ids: Ids, atomic: Sequence[Grouped]) -> None:
    """Atomic groups theirs, and their transactions."""
    for grouped in atomic:
        grouped.group_id = ids.groups.popleft()
        for member in grouped.outcomes:
            if isinstance(member, Posted):
                member.group_id = grouped.group_id


async def _take(connection: "AnyConnection", query: str, count: int) -> list[int]:
    return [row["id"] for row in await connection.fetch(query, count)]
