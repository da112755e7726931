"""Which transactions a key has made: one, or all those of a batch, a split, the end of a split or an exchange.

The latter have not this key in their rows, but the receipt of the key knows them. So what a filter compares with the
field `idempotency_key` is a transaction's own key, and each key of the filter that has made it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from msgspec.structs import replace

from koshel.db.queries import Queries
from koshel.db.reading.filters import Comparison, Expression, Fields
from koshel.db.reading.wanted import Driver

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

RowT = TypeVar("RowT")

Made: TypeAlias = Mapping[str, Sequence[int]]  # ids of transactions, in order, by the key that has made them

KEY = Driver.KEY.value


def keys_in(expression: Expression | None, *others: str | None) -> Collection[str]:
    """The keys that a filter compares with, and others."""
    found = {*others, *(() if expression is None else _compared(expression))}
    return {key for key in found if key is not None}


def _compared(one: Expression) -> Iterator[Any]:
    if not isinstance(one, Comparison):
        for part in one.parts:
            yield from _compared(part)
    elif one.field == KEY:
        yield from one.values


async def made_by(connection: "AnyConnection", q: Queries, ledger_id: int, keys: Collection[str]) -> Made:
    """What each of the keys has made; what it queued too, whatever has become of that."""
    made = defaultdict[str, list[int]](list)
    if keys:
        for row in await connection.fetch(q.find_keyed, ledger_id, [*keys]):
            made[row["idempotency_key"]].append(row["id"])
    return made


def keyed(fields: Fields[RowT], made: Made) -> Fields[RowT]:
    """The fields, of which that of the key has all keys that have made the transaction."""
    keys = defaultdict[int, list[str]](list)
    for key, ids in made.items():
        for id_ in ids:
            keys[id_].append(key)
    if not keys:
        return fields
    own, id_of = fields[KEY].of, fields["id"].of

    def read(row: RowT) -> Any:
        by = keys.get(id_of(row))
        return own(row) if by is None else (own(row), *by)

    return {**fields, KEY: replace(fields[KEY], of=read)}
