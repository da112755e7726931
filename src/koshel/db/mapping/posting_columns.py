"""What `post` and `post_plain` are told of a batch's transactions. No connection here."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from msgspec import Struct

from koshel.core.commands import Split
from koshel.core.exchanging import Exchange
from koshel.core.model import Grouped, Posted
from koshel.core.sides import Named, Side
from koshel.db.mapping.columns import array
from koshel.db.mapping.tables import TRANSACTION, Column, Columns, Mostly


class Outside(Struct, frozen=True):
    """In the place of a side that is the world outside."""

    account_id: ClassVar[None] = None
    balance: ClassVar[None] = None
    held: ClassVar[None] = None
    version: ClassVar[None] = None


OUTSIDE = Outside()
_ARRAYS = [column for column in TRANSACTION if column.mostly is not Mostly.ONE]
_TAKE: Mapping[str, Callable[[Any], Any]] = {column.name: attrgetter(column.attribute) for column in _ARRAYS}
# A rest of zero is something, but only a transaction with a parent has one.
_PLAIN = [column for column in _ARRAYS if column.mostly is not Mostly.NULL or column.is_plain]
_RARE = attrgetter("rest", *(column.at for column in _ARRAYS if column not in _PLAIN and not column.side))
_RARE_OF_SIDE = {
    side: [attrgetter(column.attribute) for column in _ARRAYS if column not in _PLAIN and column.side == side]
    for side in ("source", "target")
}
# What follows from the transactions of a batch, and is told to `post` besides.
DERIVED: Columns = (
    Column("is_sources_last", "boolean", mostly=Mostly.SAME),
    Column("is_targets_last", "boolean", mostly=Mostly.SAME),
    Column("splits", "bigint", mostly=Mostly.NULL, is_plain=True),
    Column("exchanges", "bigint", mostly=Mostly.NULL, is_plain=True),
    Column("request", "jsonb", mostly=Mostly.NULL),
    Column("rest", "numeric", mostly=Mostly.NULL),
)
_PLAIN_DERIVED = [column for column in DERIVED if column.mostly is not Mostly.NULL or column.is_plain]


class Postings(NamedTuple):
    """The arguments of `post`, or if all are plain of `post_plain`: an array, as text, of each column; the one time."""

    are_plain: bool
    arguments: list[Any]


def postings(
    transactions: Sequence[Posted], group_ids: Sequence[int | None] | None = None, groups: Sequence[Grouped] = ()
) -> Postings:
    """All that is written of these transactions, and of which group each is, unless they say that themselves.

    They are plain if nothing is said in the columns that a plain transaction does not have. `groups`: those that are
    splits and exchanges; the first transaction of each counts it.
    """
    sources = [t.source or OUTSIDE for t in transactions]
    targets = [t.target or OUTSIDE for t in transactions]
    places: Mapping[str, Sequence[Any]] = {"": transactions, "source": sources, "target": targets}
    are_plain = not any(map(any, map(_RARE, transactions))) and not any(
        any(map(take, places[side])) for side, takes in _RARE_OF_SIDE.items() for take in takes
    )
    columns, derived = (_PLAIN, _PLAIN_DERIVED) if are_plain else (_ARRAYS, DERIVED)
    follows: list[Sequence[Any]] = [*_lasts(sources, targets)]
    follows += [_firsts(transactions, groups, Split), _firsts(transactions, groups, Exchange)]
    if not are_plain:
        follows += [_requests(transactions), _rests(transactions)]
    taken = {column.name: list(map(_TAKE[column.name], places[column.side])) for column in columns}
    if group_ids is not None:
        taken["group_id"] = [*group_ids]
    written = [array(column, taken[column.name]) for column in columns]
    written += [array(column, values) for column, values in zip(derived, follows, strict=True)]
    return Postings(are_plain, [*written, transactions[0].ctime])


def _firsts(
    transactions: Sequence[Posted], groups: Sequence[Grouped], kind: type[Split | Exchange]
) -> Sequence[int | None]:
    """1 for the first transaction of each group of this kind; empty if there is none."""
    firsts = {id(transactions_of(one)[0]) for one in groups if isinstance(one.command, kind)}
    return [1 if id(t) in firsts else None for t in transactions] if firsts else []


def transactions_of(group: Grouped) -> list[Posted]:
    """The transactions of a split or an exchange: not what came to nothing."""
    return [one for one in group.outcomes if isinstance(one, Posted)]


def _lasts(
    sources: Sequence[Side | Outside], targets: Sequence[Side | Named | Outside]
) -> tuple[list[bool], list[bool]]:
    """Whether each transaction is the last to touch its source, and its target."""
    last: dict[int | None, int] = {}
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if source.version is not None:
            last[source.account_id] = place
        if target.version is not None:
            last[target.account_id] = place
    return (
        [last.get(source.account_id) == place for place, source in enumerate(sources)],
        [last.get(target.account_id) == place for place, target in enumerate(targets)],
    )


def _requests(transactions: Sequence[Posted]) -> list[object]:
    """What a key's receipt says besides: the request, where the transaction does not say all of it."""
    return [t.key and t.request for t in transactions]


def _rests(transactions: Sequence[Posted]) -> list[str | None]:
    """What each hold reserves from now on, once: where it is placed, if it is, else where it is followed last.

    As text, since a zero is not nothing here: it ends the hold.
    """
    last: dict[int, Decimal] = {}
    places: dict[int, int] = {}
    for place, t in enumerate(transactions):
        if t.rest is not None:  # a hold, or what follows one
            id_ = t.parent_id or t.id or -place  # nobody can follow it before it has an id
            last[id_] = t.rest
            if id_ not in places or transactions[places[id_]].parent_id:
                places[id_] = place
    by_place = {place: str(last[id_] or 0) for id_, place in places.items()}
    return [by_place.get(place) for place in range(len(transactions))]
