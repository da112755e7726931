"""The turnovers of accounts with limits by time: read after the locks, kept with what the batch writes.

A batch without such an account asks nothing, and writes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from asyncpg import Record

from koshel.core.book import turned
from koshel.core.model import AccountDetails, Book, Declined, Executed, Grouped, Opened, Outcome, Posted, Replayed
from koshel.core.reach import QualifiedId
from koshel.core.turnovers import Minute, Period, Turnover, Window, of_minutes, turnover
from koshel.db.mapping import columns, rows
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

HISTORY_MAX = 10_000  # transactions of an account that are looked at when it is given limits

_windows = msgspec.json.Decoder(list[Window])


async def read(
    connection: "AnyConnection",
    q: Queries,
    locked: Sequence[Record],
    given: AbstractSet[tuple[int, int, Period]],
    now: datetime,
) -> dict[int, Turnover]:
    """The turnovers of the locked accounts that have limits, by their ids; and of those that are given limits."""
    limited = [row for row in locked if row["limits"] is not None]
    if not limited and not given:  # as nearly always
        return {}
    limits = {row["id"]: rows.limits(row["limits"]) for row in limited}
    windows: dict[int, list[Window]] = {id_: [] for id_ in limits}
    limited_at: dict[int, int] = {}
    if limited:
        for row in await connection.fetch(q.find_turnovers, {row["ledger_id"] for row in limited}, [*limits]):
            windows[row["account_id"]] = _windows.decode(row["windows"])
            limited_at[row["account_id"]] = row["limits_version"]
    versions = {row["id"]: row["version"] for row in locked}
    kept = {(id_, window.per) for id_, its in windows.items() for window in its}
    missing = {one for one in given if one[1] in versions and one[1:] not in kept}
    if missing:
        minutes = await _history(connection, q, {(ledger_id, id_) for ledger_id, id_, _ in missing})
        for _, id_, per in missing:
            since = max(0, versions[id_] - HISTORY_MAX)
            windows.setdefault(id_, []).append(of_minutes(per, since, minutes.get(id_, [])))
    return {id_: turnover(limits.get(id_, ()), limited_at.get(id_, 0), its, now) for id_, its in windows.items()}


async def _history(
    connection: "AnyConnection", q: Queries, wanted: AbstractSet[QualifiedId]
) -> dict[int, list[Minute]]:
    """What the last transactions of accounts have moved; by the accounts' ids."""
    minutes: dict[int, list[Minute]] = {}
    for id_, *minute in await connection.fetch(q.find_history, *columns.pairs(wanted), HISTORY_MAX):
        minutes.setdefault(id_, []).append(Minute(*minute))
    return minutes


async def keep(connection: "AnyConnection", q: Queries, book: Book, written: Sequence[Outcome]) -> None:
    """Write what the batch has changed of them. `written`: the outcomes with their ids."""
    before = book.state.turnovers
    if not before and _gives_no_limits(written):  # as nearly always
        return
    opened = {account.id: account for account in _opened(written)}
    given: list[tuple[int, int, Turnover]] = []
    moved: list[tuple[int, int, Turnover]] = []
    for id_, one in turned(before, written).items():
        was = before.get(id_)
        if one is not was:
            has_row = was is not None and one.limits and one.limits is was.limits
            (moved if has_row else given).append(((opened.get(id_) or book.state.accounts[id_]).ledger_id, id_, one))
    for counted, query in ((moved, q.count_turnovers), (given, q.keep_turnovers)):
        if counted:
            await connection.execute(query, *_columns(counted, book.facts.now), book.facts.now)


def _gives_no_limits(outcomes: Iterable[Outcome]) -> bool:
    others = [one for one in outcomes if type(one) is not Posted]
    return all(
        _gives_no_limits(one.outcomes) if isinstance(one, Grouped) else isinstance(one, Declined | Replayed)
        for one in others
    )


def _opened(outcomes: Iterable[Outcome]) -> Iterator[AccountDetails]:
    """The accounts that are opened, also in groups."""
    for outcome in outcomes:
        match outcome:
            case Opened():
                yield outcome.account
            case Grouped():
                yield from _opened(outcome.outcomes)
            case Executed():
                yield from _opened([outcome.outcome])


def _columns(counted: Sequence[tuple[int, int, Turnover]], now: datetime) -> tuple[Sequence[Any], ...]:
    ledger_ids, ids, turnovers = zip(*counted, strict=True)
    windows = [msgspec.json.encode(one.counted(now)).decode() if one.limits else None for one in turnovers]
    return ledger_ids, ids, [one.limits_version for one in turnovers], windows
