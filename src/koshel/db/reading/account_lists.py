"""Pages of accounts: in the order of their ids, or of their names where these are asked for."""

import heapq
from collections.abc import Mapping, Sequence
from itertools import compress, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel.core.model import AccountDetails
from koshel.db.mapping import rows
from koshel.db.queries import Queries
from koshel.db.reading.access_paths import AccessPath, plan
from koshel.db.reading.filter_fields import ACCOUNT_FIELDS
from koshel.db.reading.filters import Expression, Prefix, Value, predicate
from koshel.db.reading.pages import FILTERED_MAX, Ask, Key, Keyed, by_id, compared, entries, page, turned
from koshel.db.reading.wanted import ID_MAX, AccountPosition, AccountsWanted, Listed, MixedOrders, NotIndexed

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_BEGIN = {"desc": AccountPosition(ID_MAX, "\x7f"), "asc": AccountPosition(0, "")}
_PREFIX = "*"
_LAST, _FIRST = "\x7f", "\x01"  # characters that sort after, and before, every one that a name can have


class _Way(Struct, frozen=True):
    """By the index of which field accounts are found, and by which value; None: all of them, by id."""

    field: str | None
    value: Value


async def accounts(
    connection: "AnyConnection",
    q: Queries,
    ledger_id: int,
    wanted: AccountsWanted,
    ask: Ask,
    *,
    expression: Expression | None = None,
) -> Listed[AccountDetails, AccountPosition]:
    """A page of accounts. `expression`: the filter that is wanted. Raises NotIndexed, TooWide and MixedOrders."""
    ways = _ways(wanted, expression)
    finder = _Finder(connection, q, ledger_id, ask, is_by_name=all(way.field == "name" for way in ways))
    begin, end = (None, None) if wanted.name is None else _names(_name(wanted.name))
    narrow = (wanted.email, wanted.currency, wanted.status, begin, end, entries(wanted.metadata))

    is_met = None if expression is None else predicate(expression, ACCOUNT_FIELDS)

    async def keys(position: AccountPosition, count: int) -> Sequence[Keyed]:
        return await finder.merged(ways, position, count)

    async def details(keys: Sequence[Key]) -> Sequence[AccountDetails | None]:
        ids = [key.row["id"] for key in keys]
        given = await connection.fetch(q.find_listed_accounts, ledger_id, ids, *narrow)
        found = await by_id(given, rows.account_details)
        if is_met is not None:
            found = dict(compress(found.items(), await compared([*found.values()], is_met)))
        return [found.get(id_) for id_ in ids]

    most = None if expression is None else FILTERED_MAX
    return await page([keys], details, _after, ask, _BEGIN[ask.order], most=most)


class _Finder:
    """Finds the keys of a ledger's accounts, in the order of their names or of their ids."""

    def __init__(self, connection: "AnyConnection", q: Queries, ledger_id: int, ask: Ask, *, is_by_name: bool) -> None:
        self._connection = connection
        self._q = q
        self._ledger_id = ledger_id
        self._order = ask.order
        self._by = "name" if is_by_name else "id"

    async def merged(self, ways: Sequence[_Way], position: AccountPosition, count: int) -> Sequence[Keyed]:
        """The first keys of all ways after a position, each once; fewer than `count` if there are no more."""
        each = [await self._keys(way, position, count) for way in ways]
        once = {row["id"]: row for row in heapq.merge(*each, key=itemgetter(self._by), reverse=self._order == "desc")}
        return list(islice(once.values(), count))

    async def _keys(self, way: _Way, position: AccountPosition, count: int) -> Sequence[Keyed]:
        q = self._q
        match way.field:
            case "name" if self._by == "name":
                return await self._fetch(q.list_accounts_of_name, position.name, count, *_names(way.value))
            case "name":
                found = await self._fetch(q.list_accounts_of_name, _BEGIN[self._order].name, 1, *_names(way.value))
                return [row for row in found if self._is_after(position, row["id"])]
            case "id":
                assert isinstance(way.value, int)
                return [{"id": way.value, "name": None}] if self._is_after(position, way.value) else []
            case "email":
                return await self._fetch(q.list_accounts_of_email, position.id, count, way.value)
            case "currency":
                return await self._fetch(q.list_accounts_of_currency, position.id, count, way.value)
            case "status":
                return await self._fetch(q.list_accounts_of_status, position.id, count, way.value)
            case _:
                return await self._fetch(q.list_accounts, position.id, count)

    async def _fetch(self, statement: str, *arguments: object) -> Sequence[Keyed]:
        return await self._connection.fetch(turned(statement, self._order), self._ledger_id, *arguments)

    def _is_after(self, position: AccountPosition, id_: int) -> bool:
        return id_ < position.id if self._order == "desc" else id_ > position.id


def _after(_: AccountPosition, key: Keyed) -> AccountPosition:
    return AccountPosition(key["id"], key["name"] or "")


def _ways(wanted: AccountsWanted, expression: Expression | None) -> Sequence[_Way]:
    """The indexes that give the keys. Raises NotIndexed, TooWide and MixedOrders."""
    given = {name: getattr(wanted, name) for name in ("name", "email", "currency", "status")}
    probes = {name: value for name, value in given.items() if value is not None}
    if wanted.name is not None:
        return [_Way("name", _name(wanted.name))]
    if expression is None:
        if wanted.metadata and not probes:
            raise NotIndexed(["metadata"], [*given])
        return [_way(probes)]
    rank = max((ACCOUNT_FIELDS[name].rank for name in probes), default=0)
    ways = [_way(path.probes) for path in plan(expression, ACCOUNT_FIELDS, AccessPath(probes, rank=rank))]
    if any(isinstance(way.value, Prefix) for way in ways) and not all(way.field == "name" for way in ways):
        raise MixedOrders
    return ways


def _way(probes: Mapping[str, Value]) -> _Way:
    """By the field that finds the fewest, and of two that find as many by the first; by id, if there is none."""
    field = max(probes, key=lambda name: ACCOUNT_FIELDS[name].rank, default=None)
    return _Way(field, None if field is None else probes[field])


def _name(text: str) -> Value:
    """A name, or how names begin."""
    return Prefix(text.removesuffix(_PREFIX)) if text.endswith(_PREFIX) else text


def _names(name: Value) -> tuple[str, str]:
    """From which name on, and before which."""
    if isinstance(name, Prefix):
        return name.begin, name.begin + _LAST
    return f"{name}", f"{name}{_FIRST}"
