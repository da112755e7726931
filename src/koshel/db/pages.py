"""How a page of any list is put together: first its keys, in order and by an index, then what they are of.

    position ──▶ some keys ──▶ those that are as they are wanted ──▶ enough? else more keys, a bounded number
No page is found by counting what comes before it: it begins where the last one has ended.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from msgspec import Struct, json

from koshel.db.queries import oldest_first
from koshel.db.wanted import Listed, Order

KEYS_MAX = 2_000  # that are looked at for a page
KEYS_AT_ONCE = 500


class Keyed(Protocol):
    """A row that has an id."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of a column."""


ItemT = TypeVar("ItemT")
PositionT = TypeVar("PositionT")
Keys: TypeAlias = Callable[[PositionT, int], Awaitable[Sequence[Keyed]]]  # so many after a position
Details: TypeAlias = Callable[[Sequence[Keyed]], Awaitable[dict[int, ItemT]]]  # by id, of those that are wanted


class Ask(Struct, frozen=True):
    """How much of a list: the limit, the order, and where to begin; None: at its beginning."""

    limit: int
    order: Order = "desc"
    start: Any = None

    def turned(self, statement: str) -> str:
        """The statement of a list, in this order."""
        return statement if self.order == "desc" else oldest_first(statement)


async def page(
    keys: Keys[PositionT],
    details: Details[ItemT],
    after: Callable[[PositionT, Keyed], PositionT],
    ask: Ask,
) -> Listed[ItemT, PositionT]:
    """The page that begins where it is asked to; `after` is the position after a key.

    Where not all keys are of what is wanted it has fewer items than it may if KEYS_MAX keys were looked at, and says
    where the next one goes on.
    """
    items: list[ItemT] = []
    looked_at, position, count = 0, ask.start, ask.limit + 1
    while True:
        found = await keys(position, count)
        matching = await details(found) if found else {}
        for key in found:
            item = matching.get(key["id"])
            if item is not None and len(items) == ask.limit:
                return Listed(items, position)
            position = after(position, key)
            if item is not None:
                items.append(item)
        looked_at += len(found)
        if len(found) < count:
            return Listed(items, None)
        if looked_at >= KEYS_MAX:
            return Listed(items, position)
        count = max(count, KEYS_AT_ONCE)


def entries(metadata: Any) -> str | None:
    """The entries that metadata must have, as JSON; None: any."""
    return json.encode(metadata).decode() if metadata else None
