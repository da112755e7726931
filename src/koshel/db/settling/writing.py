"""What a batch writes, in order: ids before what names them, accounts and receipts before transactions."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, TypeVar
from uuid import UUID

from msgspec.structs import replace

from koshel.core.book import Recorded, has_receipt
from koshel.core.commands import AutoCapture, Group, Split
from koshel.core.exchanging import Exchange
from koshel.core.model import Annotated, Changed, Declined, Executed, Grouped, Opened, Outcome, Posted, Queued
from koshel.db.mapping import columns, exchange_columns, queue_columns, split_columns
from koshel.db.queries import Queries
from koshel.db.settling import account_changes, notes
from koshel.db.settling.ids import Ids, number, renewed

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

CAPTURE_AGAIN_S = 60.0  # before a hold whose capture was refused is tried again

OutcomeT = TypeVar("OutcomeT", bound=Outcome)


class Written(NamedTuple):
    """The outcomes, now with their ids; and a ledger that has the batch's row, if there is one."""

    outcomes: list[Outcome]
    ledger_id: int | None


async def write(
    connection: "AnyConnection", q: Queries, batch_id: UUID, ids: Ids, outcomes: Sequence[Outcome], *, now: datetime
) -> Written:
    """Write what is new, at the time of the batch. The outcomes that are given stay as they were."""
    posted = _only(Posted, outcomes)
    if len(posted) == len(outcomes) > 0:  # as nearly always: the ids come with the rows, and the receipts go with them
        return Written([*await _post(connection, q, batch_id, posted)], posted[0].ledger_id)
    parts = list(_each_outcome(outcomes))
    is_answering = any(map(_is_answer, parts))
    given = await number(connection, q, ids, parts, all_posted=is_answering)
    unanswered = [given[id(one)] for one in _only(Posted, parts) if is_answering and one.key is not None and not one.id]
    numbered = renewed(outcomes, given)
    parts = list(_each_outcome(numbered))
    posted = _only(Posted, parts)
    await _write_others(connection, q, parts, unanswered, now)
    if posted:
        groups = [one for one in parts if isinstance(one, Grouped) and not isinstance(one.command, Group)]
        renumbered = await _post(connection, q, batch_id, posted, groups)
        given = {id(old): new for old, new in zip(posted, renumbered, strict=True)}
        return Written(renewed(numbered, given), posted[0].ledger_id)
    news = [
        one for one in parts if isinstance(one, Opened | Changed | Annotated | Queued | Executed) or _is_answer(one)
    ]
    ledger_ids = sorted({one.command.ledger_id for one in news})
    if ledger_ids:
        await connection.execute(q.record_batch, ledger_ids, batch_id)
    return Written(numbered, ledger_ids[0] if ledger_ids else None)


async def _write_others(
    connection: "AnyConnection", q: Queries, parts: Sequence[Outcome], unanswered: Sequence[Any], now: datetime
) -> None:
    """All but the transactions; of those that have a key and no receipt yet, the receipts."""
    if opened := _only(Opened, parts):
        await connection.execute(q.open_accounts, *columns.openings(opened))
    if changed := _only(Changed, parts):
        await connection.execute(q.change_accounts, *columns.changes(changed, _only(Posted, parts)))
        await account_changes.record(connection, q, changed, now)
    if annotated := _only(Annotated, parts):
        await notes.record(connection, q, annotated)
    # All receipts in one statement, and so in one order: a batch that has two keys and waits for the second
    # never has what another one with both is waiting for.
    if answers := [one for one in parts if _is_answer(one)]:
        await connection.execute(q.record_receipts, *columns.receipts([*answers, *unanswered]))
    if executed := _only(Executed, parts):
        await connection.execute(q.settle_queued, *queue_columns.executions(executed))
    if refused := [one.command for one in _only(Declined, parts) if isinstance(one.command, AutoCapture)]:
        places = {(one.ledger_id, one.parent_id) for one in refused}
        await connection.execute(q.postpone_captures, *columns.pairs(places), CAPTURE_AGAIN_S)
    if queued := _only(Queued, parts):
        await connection.execute(q.enqueue, *queue_columns.enqueued(queued))


def _only(kind: type[OutcomeT], outcomes: Iterable[Outcome]) -> list[OutcomeT]:
    return [one for one in outcomes if isinstance(one, kind)]


def _is_answer(outcome: Outcome) -> TypeGuard[Recorded]:
    """Whether its key answers with it from now on. The key of what was executed has answered already."""
    return isinstance(outcome, Recorded) and has_receipt(outcome)


def _each_outcome(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes; each group's members before the group, and what an Executed has posted before it."""
    for outcome in outcomes:
        if isinstance(outcome, Grouped):
            yield from _each_outcome(outcome.outcomes)
        elif isinstance(outcome, Executed) and isinstance(outcome.outcome, Posted | Grouped):
            yield from _each_outcome([outcome.outcome])
        yield outcome


async def _post(
    connection: "AnyConnection", q: Queries, batch_id: UUID, posted: Sequence[Posted], groups: Sequence[Grouped] = ()
) -> list[Posted]:
    """The transactions, written, with their ids; and with them the splits and exchanges that some of them are of."""
    are_plain, arguments = columns.postings(posted)
    if groups:
        splits = split_columns.splits([one for one in groups if isinstance(one.command, Split)])
        exchanges = exchange_columns.exchanges([one for one in groups if isinstance(one.command, Exchange)])
        batches = await connection.fetch(q.post_groups, *arguments, batch_id, *splits, *exchanges)
    else:
        batches = await connection.fetch(q.post_plain if are_plain else q.post, *arguments, batch_id)
    ids = {ledger_id: iter(transaction_ids) for ledger_id, transaction_ids in batches}
    return [replace(one, id=next(ids[one.ledger_id])) for one in posted]
