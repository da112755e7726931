"""What a batch writes, in order: ids before what names them, accounts and receipts before transactions."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, TypeVar
from uuid import UUID

from msgspec.structs import replace

from koshel.core.book import Recorded, has_receipt
from koshel.core.commands import AutoCapture, Group, Split
from koshel.core.exchanging import Exchange
from koshel.core.model import Annotated, Changed, Declined, Executed, Grouped, Opened, Outcome, Posted, Queued
from koshel.db.mapping import columns, exchange_columns, posting_columns, queue_columns, split_columns
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
    posted, others = _apart(outcomes)
    is_answering = any(map(_is_answer, others))
    given, group_ids = await number(connection, q, ids, posted, others, all_posted=is_answering)
    unanswered = [given[id(one)] for one in posted if is_answering and one.key is not None and not one.id]
    numbered = renewed(outcomes, given)
    posted, others = _apart(numbered)
    await _write_others(connection, q, posted, others, unanswered=unanswered, now=now)
    if posted:
        groups = [one for one in others if isinstance(one, Grouped) and not isinstance(one.command, Group)]
        written = await _post(connection, q, batch_id, posted, group_ids=group_ids, groups=groups)
        given = {id(old): new for old, new in zip(posted, written, strict=True)}
        await _record_groups(connection, q, renewed(groups, given))
        return Written(renewed(numbered, given), posted[0].ledger_id)
    news = [
        one for one in others if isinstance(one, Opened | Changed | Annotated | Queued | Executed) or _is_answer(one)
    ]
    ledger_ids = sorted({one.command.ledger_id for one in news})
    if ledger_ids:
        await connection.execute(q.record_batch, ledger_ids, batch_id)
    return Written(numbered, ledger_ids[0] if ledger_ids else None)


async def _write_others(
    connection: "AnyConnection",
    q: Queries,
    posted: Sequence[Posted],
    others: Sequence[Outcome],
    *,
    unanswered: Sequence[Any],
    now: datetime,
) -> None:
    """All but the transactions; of those that have a key and no receipt yet, the receipts."""
    if opened := _only(Opened, others):
        await connection.execute(q.open_accounts, *columns.openings(opened))
    if changed := _only(Changed, others):
        await connection.execute(q.change_accounts, *columns.changes(changed, posted))
        await account_changes.record(connection, q, changed, now)
    if annotated := _only(Annotated, others):
        await notes.record(connection, q, annotated)
    # All receipts in one statement, and so in one order: a batch that has two keys and waits for the second
    # never has what another one with both is waiting for.
    if answers := [one for one in others if _is_answer(one)]:
        await connection.execute(q.record_receipts, *columns.receipts([*answers, *unanswered]))
    if executed := _only(Executed, others):
        await connection.execute(q.settle_queued, *queue_columns.executions(executed))
    if refused := [one.command for one in _only(Declined, others) if isinstance(one.command, AutoCapture)]:
        places = {(one.ledger_id, one.parent_id) for one in refused}
        await connection.execute(q.postpone_captures, *columns.pairs(places), CAPTURE_AGAIN_S)
    if queued := _only(Queued, others):
        await connection.execute(q.enqueue, *queue_columns.enqueued(queued))


def _only(kind: type[OutcomeT], outcomes: Iterable[Outcome]) -> list[OutcomeT]:
    return [one for one in outcomes if isinstance(one, kind)]


def _is_answer(outcome: Outcome) -> TypeGuard[Recorded]:
    """Whether its key answers with it from now on. The key of what was executed has answered already."""
    return isinstance(outcome, Recorded) and has_receipt(outcome)


def _apart(outcomes: Iterable[Outcome]) -> tuple[list[Posted], list[Outcome]]:
    """What is posted, which is nearly all, and the others, both in order; with them what is in groups and executed.

    Each group's members come before the group, and what an Executed has posted before it.
    """
    posted: list[Posted] = []
    others: list[Outcome] = []
    _part(outcomes, posted, others)
    return posted, others


def _part(outcomes: Iterable[Outcome], posted: list[Posted], others: list[Outcome]) -> None:
    for outcome in outcomes:
        if type(outcome) is Posted:
            posted.append(outcome)
            continue
        if isinstance(outcome, Grouped):
            _part(outcome.outcomes, posted, others)
        elif isinstance(outcome, Executed) and isinstance(outcome.outcome, Posted | Grouped):
            _part([outcome.outcome], posted, others)
        others.append(outcome)


async def _post(
    connection: "AnyConnection",
    q: Queries,
    batch_id: UUID,
    posted: Sequence[Posted],
    *,
    group_ids: Sequence[int | None] | None = None,
    groups: Sequence[Grouped] = (),
) -> list[Posted]:
    """The transactions, written, with their ids and groups."""
    are_plain, arguments = posting_columns.postings(posted, group_ids, groups)
    batches = await connection.fetch(q.post_plain if are_plain else q.post, *arguments, batch_id)
    ids = {ledger_id: iter(transaction_ids) for ledger_id, transaction_ids in batches}
    numbered = [(one, next(ids[one.ledger_id])) for one in posted]
    if group_ids is None:
        return [one if one.id else replace(one, id=id_) for one, id_ in numbered]
    of = zip(numbered, group_ids, strict=True)
    return [replace(one, id=id_, group_id=group_id) for (one, id_), group_id in of]


async def _record_groups(connection: "AnyConnection", q: Queries, groups: Sequence[Grouped]) -> None:
    """What was split and exchanged, once its transactions are written."""
    if splits := [one for one in groups if isinstance(one.command, Split)]:
        await connection.execute(q.record_splits, *split_columns.splits(splits))
    if exchanges := [one for one in groups if isinstance(one.command, Exchange)]:
        await connection.execute(q.record_exchanges, *exchange_columns.exchanges(exchanges))
