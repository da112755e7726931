"""Pages of transactions, and of an account's lines: posted ones, and those that are queued or were."""

from collections.abc import Sequence
from functools import partial
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from koshel.db.mapping import rows
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.queries import Queries
from koshel.db.reading import archived, candidates, lines
from koshel.db.reading.access_paths import AccessPath, plan
from koshel.db.reading.filter_fields import LINE_FIELDS, TRANSACTION_FIELDS, Listing
from koshel.db.reading.filters import Expression, Fields, Predicate, predicate
from koshel.db.reading.lines import Line, Stretch, Versions
from koshel.db.reading.made_by import KEY, Made, keyed, keys_in, made_by
from koshel.db.reading.pages import FILTERED_MAX, Ask, Key, Keyed, Keys, by_id, compared, entries, page
from koshel.db.reading.transaction_keys import ALL_VERSIONS, Finder, Way, given, moments
from koshel.db.reading.wanted import (
    FIRST_MOMENT,
    ID_MAX,
    LAST_MOMENT,
    Driver,
    Listed,
    Position,
    TransactionsWanted,
)

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

RowT = TypeVar("RowT")

_BEGIN = {"desc": Position(LAST_MOMENT, ID_MAX, ID_MAX), "asc": Position(FIRST_MOMENT, 0, 0)}


async def transactions(
    connection: "AnyConnection",
    q: Queries,
    ledger_id: int,
    wanted: TransactionsWanted,
    ask: Ask,
    *,
    expression: Expression | None = None,
) -> Listed[FoundTransaction, Any]:
    """A page of transactions. `expression`: the filter that is wanted. Raises NotIndexed, TooWide and BadPosition."""
    made = await made_by(connection, q, ledger_id, keys_in(expression, wanted.idempotency_key))
    finder = Finder(connection, q, ledger_id, ask.order, made)
    if expression is None:
        paths, ways = [given(wanted)], [finder.way_of(wanted)]
    else:
        paths = [*plan(expression, TRANSACTION_FIELDS, given(wanted))]
        ways = [await finder.way_along(path, alone=len(paths) == 1) for path in paths]
    books = _Books(connection, q, ledger_id, wanted, paths[0] if len(paths) == 1 else given(wanted), made=made)
    is_met, may_be_met = _predicates(expression, TRANSACTION_FIELDS, candidates.OF_TRANSACTION, made)

    async def details(keys: Sequence[Key]) -> Sequence[FoundTransaction | None]:
        found = await books.details([key.row for key in keys], may_be_met)
        if is_met is None:
            return [found.get(key.row["id"]) for key in keys]

        def wanted_of(key: Key) -> FoundTransaction | None:
            one = found.get(key.row["id"])
            return one if one is not None and _is_given(key, one, ways) and is_met(_listing(key, one)) else None

        return await compared(keys, wanted_of)

    sources: list[Keys[Position]] = [partial(finder.keys, way, await finder.versions(way)) for way in ways]
    place, most = itemgetter("ctime", "id"), _most(expression)
    return await page(sources, details, _after, ask, _BEGIN[ask.order], place=place, most=most)


def _listing(key: Key, found: FoundTransaction) -> Listing:
    return Listing(found, key.row["ctime"])


def _is_given(key: Key, found: FoundTransaction, ways: Sequence[Way]) -> bool:
    """Whether this is the first way that finds it, which gives it.

    What a way finds of a transaction never changes, so that it is on one page, whatever comes between two of them.
    """
    if len(ways) == 1:
        return True
    one = _listing(key, found)
    return next((source for source, way in enumerate(ways) if way.finds(one)), None) == key.source


def _most(expression: Expression | None) -> int | None:
    """How many keys are looked at for a page: fewer, if they are compared here and not by the database."""
    return None if expression is None else FILTERED_MAX


def _predicates(
    expression: Expression | None, fields: Fields[RowT], known: Fields[Keyed], made: Made
) -> tuple[Predicate[RowT] | None, Predicate[Keyed] | None]:
    """Whether a row is as a filter says, and whether it may be, by what is known of it at first."""
    if expression is None:
        return None, None
    return predicate(expression, keyed(fields, made)), predicate(expression, keyed(known, made), if_unknown=True)


async def account_lines(
    connection: "AnyConnection",
    q: Queries,
    ledger_id: int,
    wanted: TransactionsWanted,
    ask: Ask,
    *,
    versions: Versions | None = None,
    expression: Expression | None = None,
) -> Listed[Line, Any]:
    """A page of the lines of the account that is wanted, in the order of its versions.

    `versions`: the first and the last that may be on it; None: those of the time that is wanted.
    `expression`: the filter that is wanted. Raises BadPosition.
    """
    account_id = wanted.account_id
    assert account_id is not None
    (path,) = plan(expression, LINE_FIELDS, given(wanted))
    way = Way(Driver.ACCOUNT, account_id, (), ("posted",), moments(path))
    made = await made_by(connection, q, ledger_id, keys_in(expression))
    finder, books = (
        Finder(connection, q, ledger_id, ask.order),
        _Books(connection, q, ledger_id, wanted, path, made=made),
    )
    is_met, may_be_met = _predicates(expression, LINE_FIELDS, candidates.of_line(account_id), made)

    async def details(keys: Sequence[Key]) -> Sequence[Line | None]:
        found = await books.details([key.row for key in keys], may_be_met)

        def wanted_of(key: Key) -> Line | None:
            one = lines.line(account_id, found[key.row["id"]]) if key.row["id"] in found else None
            return one if one is None or is_met is None or is_met(one) else None

        return await compared(keys, wanted_of)

    bounds = _within(path, await finder.versions(way) if versions is None else versions)
    keys = partial(finder.keys, way, bounds)
    return await page([keys], details, _after, ask, _BEGIN[ask.order], most=_most(expression))


async def statement_lines(
    connection: "AnyConnection", q: Queries, stretch: Stretch, ask: Ask
) -> Listed[Line, Position]:
    """A page of the lines of a stretch, the oldest first. Raises HistoryArchived if one was archived meanwhile."""
    account = stretch.account
    wanted = TransactionsWanted(account_id=account.id)
    page = await account_lines(connection, q, account.ledger_id, wanted, ask, versions=stretch.versions)
    first = (stretch.opening.version if ask.start is None else ask.start.version) + 1
    last = stretch.closing.version if page.ends_at is None else page.ends_at.version
    if [one.version for one in page.items] != [*range(first, last + 1)]:
        raise await archived.refusal(connection, q, account)
    return page


def _within(path: AccessPath, versions: Versions) -> Versions:
    """Of the versions those that the filter may want, which may be none."""
    low, high = path.bounds("version")
    first, last = max(versions[0], ALL_VERSIONS[0] if low is None else low), versions[1]
    return first, last if high is None else min(last, high)


def _after(position: Position, key: Keyed) -> Position:
    """An account's own transactions are after a version of its, and what is pending between them after a time."""
    if key["version"] is None:
        return Position(key["ctime"], key["id"], position.version)
    return Position(position.ctime, position.id, key["version"])


class _Books:
    """What of one ledger is wanted."""

    def __init__(
        self,
        connection: "AnyConnection",
        q: Queries,
        ledger_id: int,
        wanted: TransactionsWanted,
        path: AccessPath,
        *,
        made: Made,
    ) -> None:
        self._connection = connection
        self._q = q
        self._ledger_id = ledger_id
        choices, probes = path.choices, path.probes
        self._narrow = (
            *(sorted(choices[name]) if name in choices else None for name in ("status", "kind")),
            *(probes.get(name) for name in ("account_id", "parent_id", "group_id")),
            made.get(str(probes[KEY]), []) if KEY in probes else None,
            probes.get("reference"),
            wanted.effective_on and wanted.effective_on.isoformat(),
            entries(wanted.metadata),
            *(wanted.since or FIRST_MOMENT, wanted.until or LAST_MOMENT),
        )

    async def details(self, keys: Sequence[Keyed], may_be_met: Predicate[Keyed] | None) -> dict[int, FoundTransaction]:
        """Of the keys those that are as they are wanted, without those that a filter cannot want by their own rows.

        What is pending may be posted between two looks: what is not found there is looked for where it has gone.
        """
        pending = [key["id"] for key in keys if not key["is_posted"]]
        found: dict[int, FoundTransaction] = {}
        if pending:
            found |= await by_id(await self._fetch(self._q.find_listed_pending, pending), rows.queued)
        posted = sorted(key["id"] for key in keys if key["id"] not in found)
        if posted and may_be_met is not None:
            own: Sequence[Keyed] = await self._connection.fetch(self._q.find_candidates, self._ledger_id, posted)
            posted = sorted(row["id"] for row in compress(own, await compared(own, may_be_met)))
        if posted:
            found |= await by_id(await self._fetch(self._q.find_listed, posted), rows.found)
        return found

    async def _fetch(self, statement: str, ids: Sequence[int]) -> Sequence[Any]:
        return await self._connection.fetch(statement, self._ledger_id, ids, *self._narrow)
