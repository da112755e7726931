"""Ids, from their sequences: those that can be foreseen are taken before anything is locked."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from koshel.core.commands import Command, Execute, Group, Split
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.model import Executed, Grouped, Opened, Outcome, Posted, Queued, Replayed
from koshel.core.reach import weight_of
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

Given: TypeAlias = Mapping[int, Opened | Posted | Queued | Grouped]  # by the identity of what had no id


class Numbers(NamedTuple):
    """What is new with its ids, and which of the transactions are of which group."""

    given: Given
    group_ids: Sequence[int | None] | None  # of the transactions, in their order; None: they say it themselves


class Ids(Struct):
    """Ids that nobody has yet. What is left over at the end is never given: a sequence may have gaps."""

    transactions: deque[int] = field(default_factory=deque)
    groups: deque[int] = field(default_factory=deque)


async def take_before(connection: "AnyConnection", q: Queries, commands: Sequence[Command]) -> Ids:
    """An id for each atomic group, and for each command that makes several transactions by itself.

    And for all transactions, if one of these has a key, since its receipt names them.
    """
    ids = Ids()
    groups = [command for command in commands if isinstance(command, Group)]
    members = [*map(_asked, _members(commands))]
    several = [one for one in members if isinstance(one, Split | EndSplit | Exchange)]
    if count := sum(group.atomic for group in groups) + len(several):
        ids.groups.extend(await _take(connection, q.take_group_ids, count))
    if any(one.key is not None for one in (*groups, *several)):
        more = sum(weight_of(one) - 1 for one in several)
        ids.transactions.extend(await _take(connection, q.take_transaction_ids, len(members) + more))
    return ids


def _members(commands: Sequence[Command]) -> list[Command]:
    """The commands, and in the place of each group its members."""
    return [one for command in commands for one in (command.members if isinstance(command, Group) else (command,))]


def _asked(command: Command) -> Command:
    return command.command if isinstance(command, Execute) else command


async def number(
    connection: "AnyConnection",
    q: Queries,
    ids: Ids,
    posted: Sequence[Posted],
    others: Sequence[Outcome],
    *,
    all_posted: bool,
) -> Numbers:
    """What is new with its ids, in order; of transactions that are posted, only `all_posted` or none.

    These ids are given before the rows are written, since receipts and queued transactions say them, and receipts their
    groups too. Else a transaction is made anew only when it is written: its group is told, and not given.
    """
    opened = [one for one in others if isinstance(one, Opened) and not one.account.id]
    given: dict[int, Any] = {}
    if opened:
        taken = await _take(connection, q.take_account_ids, len(opened))
        for one, id_ in zip(opened, taken, strict=True):
            given[id(one)] = Opened(one.command, replace(one.account, id=id_))
    queued = [one for one in others if isinstance(one, Queued)]
    needed = len(queued) + sum(all_posted and not one.id for one in posted)
    if (missing := needed - len(ids.transactions)) > 0:
        ids.transactions.extend(await _take(connection, q.take_transaction_ids, missing))
    groups: dict[int, int] = {}  # ids, by the identity of the members
    for grouped in others:
        if isinstance(grouped, Grouped) and grouped.has_id:
            group_id = ids.groups.popleft()
            groups |= {id(member): group_id for member in grouped.outcomes if type(member) is Posted}
            given[id(grouped)] = replace(grouped, group_id=group_id)
    for later in queued:
        given[id(later)] = replace(later, id=ids.transactions.popleft())
    if all_posted:
        for each in posted:
            id_ = each.id or ids.transactions.popleft()
            given[id(each)] = replace(each, id=id_, group_id=groups.get(id(each)))
        return Numbers(given, None)
    return Numbers(given, [groups.get(id(each)) for each in posted] if groups else None)


def renewed(outcomes: Iterable[Outcome], given: Given) -> list[Any]:
    """The outcomes, with what was given an id in the place of what had none, wherever it is in them."""
    # What is posted, as nearly all is, at once: no call for each.
    return [new if type(new := given.get(id(one), one)) is Posted else _renewed(new, given) for one in outcomes]


def _renewed(new: Any, given: Given) -> Outcome:
    """Of one that has its own id already, what is in it."""
    match new:
        case Grouped():
            return Grouped(new.command, renewed(new.outcomes, given), new.group_id)
        case Executed():
            return Executed(new.command, renewed([new.outcome], given)[0])
        case Replayed():
            return Replayed(renewed([new.first], given)[0])
        case _:
            return new  # type: ignore[no-any-return]


async def take_account_ids(connection: "AnyConnection", q: Queries, count: int) -> Sequence[int]:
    """Ids of accounts that may be opened."""
    return await _take(connection, q.take_account_ids, count)


async def take_transaction_ids(connection: "AnyConnection", q: Queries, count: int) -> Sequence[int]:
    """Ids of transactions that may be posted."""
    return await _take(connection, q.take_transaction_ids, count)


async def _take(connection: "AnyConnection", query: str, count: int) -> list[int]:
    return [row["id"] for row in await connection.fetch(query, count)]
