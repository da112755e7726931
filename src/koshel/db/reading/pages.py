"""How a page of any list is put together: first its keys, in order and by an index, then what they are of.

    positions ──▶ some keys ──▶ those that are as they are wanted ──▶ enough? else more keys, a bounded number
Keys come by one index, or by several: then there is a position in each, and their keys are merged into one order.
No page is found by counting what comes before it: it begins where the last one has ended.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from msgspec import Struct, json

from koshel.db.reading.wanted import BadPosition, Listed, Order

# For a page of which little is wanted: as many as are looked at within the time that any page may take, 20 ms.
KEYS_MAX = 700
FILTERED_MAX = 300  # of a list with a filter: they are compared here
KEYS_AT_ONCE = 500
GROWTH = 8  # how many times as many keys are looked at next at most, where few were wanted: each look costs statements
MADE_AT_ONCE = 100  # rows; while they are made nothing else is done
COMPARED_AT_ONCE = 25  # rows, each with as many values as a filter may have


class Keyed(Protocol):
    """A row that has an id."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of a column."""


RowT = TypeVar("RowT")
ItemT = TypeVar("ItemT")
PositionT = TypeVar("PositionT")
Keys: TypeAlias = Callable[[PositionT, int], Awaitable[Sequence[Keyed]]]  # so many after a position


class Key(NamedTuple):
    """A key of a page, and which of its sources gave it."""

    source: int
    row: Keyed


Details: TypeAlias = Callable[[Sequence[Key]], Awaitable[Sequence[ItemT | None]]]  # of each; None: it is not wanted


class Ask(Struct, frozen=True):
    """How much of a list: the limit, the order, and where to begin; None: at its beginning.

    Where several indexes give its keys, `start` is a sequence of positions.
    """

    limit: int
    order: Order = "desc"
    start: Any = None

    def positions(self, begin: Any, count: int) -> tuple[Any, ...]:
        """Where to begin in each of so many indexes. Raises BadPosition."""
        if self.start is None:
            return (begin,) * count
        given = tuple(self.start) if isinstance(self.start, list | tuple) else (self.start,)
        if len(given) != count:
            raise BadPosition
        return given


@cache
def turned(statement: str, order: Order) -> str:
    """The statement of a list, in this order. The other order has another end, and begins on the other side."""
    if order == "desc":
        return statement
    return statement.replace(" DESC", " ASC").replace(") < ROW(", ") > ROW(").replace("ctime >= $3", "ctime < $3")


async def page(
    sources: Sequence[Keys[PositionT]],
    details: Details[ItemT],
    after: Callable[[PositionT, Keyed], PositionT],
    ask: Ask,
    begin: PositionT,
    *,
    place: Callable[[Keyed], Any] = itemgetter("id"),
    most: int | None = None,
) -> Listed[ItemT, Any]:
    """The page that begins where it is asked to, and else at `begin`; `after` is the position after a key.

    Each source gives keys in the order of the list, which is that of `place`. Where not all keys are of what is wanted
    the page has fewer items than it may if `most` keys were looked at (None: KEYS_MAX), or those of one full page, and
    says where the next one goes on. Raises BadPosition.
    """
    items: list[ItemT] = []
    positions = ask.positions(begin, len(sources))
    looked_at, count = 0, ask.limit + 1
    while True:
        found = await _merged(sources, positions, count, place, ask.order)
        for key, item in zip(found, await details(found) if found else (), strict=True):
            if item is not None and len(items) == ask.limit:
                return Listed(items, _ended(positions))
            positions = _moved(positions, key, after)
            if item is not None:
                items.append(item)
        looked_at += len(found)
        if len(found) < count:
            return Listed(items, None)
        left = (KEYS_MAX if most is None else most) - looked_at
        if left <= 0:
            return Listed(items, _ended(positions))
        count = min(GROWTH * count, KEYS_AT_ONCE, left)
        if items:
            count = min(count, _enough(ask.limit + 1 - len(items), len(items), looked_at))


def _enough(lacking: int, wanted: int, looked_at: int) -> int:
    """How many keys give what is lacking, and a quarter more, if as many of them are wanted as of those before."""
    return 5 * lacking * looked_at // (4 * wanted) + 1


async def _merged(
    sources: Sequence[Keys[PositionT]],
    positions: tuple[PositionT, ...],
    count: int,
    place: Callable[[Keyed], Any],
    order: Order,
) -> list[Key]:
    """The first keys of all sources; fewer than `count` if there are no more."""
    each = [
        [Key(index, row) for row in await source(position, count)]
        for index, (source, position) in enumerate(zip(sources, positions, strict=True))
    ]
    ordered = heapq.merge(*each, key=lambda key: place(key.row), reverse=order == "desc")
    return list(islice(ordered, count))


def _moved(
    positions: tuple[PositionT, ...], key: Key, after: Callable[[PositionT, Keyed], PositionT]
) -> tuple[PositionT, ...]:
    moved = after(positions[key.source], key.row)
    return (*positions[: key.source], moved, *positions[key.source + 1 :])


def _ended(positions: tuple[PositionT, ...]) -> PositionT | tuple[PositionT, ...]:
    """Of a page with one source its position alone, as cursors have had it from the first."""
    return positions[0] if len(positions) == 1 else positions


async def by_id(found: Sequence[Keyed], make: Callable[[Any], ItemT]) -> dict[int, ItemT]:
    """What is made of rows, by their ids: some at a time, so that meanwhile others are answered."""
    made: dict[int, ItemT] = {}
    for first in range(0, len(found), MADE_AT_ONCE):
        if first:
            await asyncio.sleep(0)
        made |= {row["id"]: make(row) for row in found[first : first + MADE_AT_ONCE]}
    return made


async def compared(rows: Sequence[RowT], compare: Callable[[RowT], ItemT]) -> list[ItemT]:
    """What a comparison with a filter gives of each row: of some at a time, so that meanwhile others are answered."""
    found: list[ItemT] = []
    for first in range(0, len(rows), COMPARED_AT_ONCE):
        if first:
            await asyncio.sleep(0)
        found += map(compare, rows[first : first + COMPARED_AT_ONCE])
    return found


def entries(metadata: Any) -> str | None:
    """The entries that metadata must have, as JSON; None: any."""
    return json.encode(metadata).decode() if metadata else None
