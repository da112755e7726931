"""What a batch writes, in order: ids before what names them, accounts and receipts before transactions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from koshel.core.book import is_remembered
from koshel.core.model import Changed, Executed, Grouped, Opened, Outcome, Posted, Queued
from koshel.db import columns
from koshel.db.ids import Ids, number, renewed
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class Written(NamedTuple):
    """The outcomes, now with their ids; and a ledger that has the batch's row, if there is one."""

    outcomes: list[Outcome]
    ledger_id: int | None


class _News(Struct):
    """What of a batch's outcomes is new, by what becomes of it, in the order in which it was decided."""

    posted: list[Posted]
    opened: list[Opened]
    changed: list[Changed]
    queued: list[Queued]
    executed: list[Executed]
    answers: list[columns.Answer]  # that a key gives from now on

    def ledger_ids(self) -> set[int]:
        """Whose they are, where nothing is posted."""
        outcomes = (*self.opened, *self.changed, *self.queued, *self.executed, *self.answers)
        return {one.command.ledger_id for one in outcomes}


async def write(
    connection: "AnyConnection", q: Queries, batch_id: UUID, ids: Ids, outcomes: Sequence[Outcome]
) -> Written:
    """Write what is new. The outcomes that are given stay as they were."""
    posted = [one for one in outcomes if type(one) is Posted]
    if len(posted) == len(outcomes) > 0:  # as nearly always: the ids come with the rows, and the receipts go with them
        return Written([*await _post(connection, q, batch_id, posted)], posted[0].ledger_id)
    parts = list(_parts(outcomes))
    is_answering = any(_is_answer(one) for one in parts)
    given = await number(connection, q, ids, parts, all_posted=is_answering)
    unanswered = [given[id(one)] for one in parts if is_answering and _needs_receipt(one)]
    numbered = renewed(outcomes, given)
    news = _sort(_parts(numbered))
    await _write_news(connection, q, news, unanswered)
    if news.posted:
        renumbered = await _post(connection, q, batch_id, news.posted)
        given = {id(old): new for old, new in zip(news.posted, renumbered, strict=True)}
        return Written(renewed(numbered, given), news.posted[0].ledger_id)
    ledger_ids = sorted(news.ledger_ids())
    if ledger_ids:
        await connection.execute(q.record_batch, ledger_ids, batch_id)
    return Written(numbered, ledger_ids[0] if ledger_ids else None)


async def _write_news(connection: "AnyConnection", q: Queries, news: _News, unanswered: Sequence[Any]) -> None:
    """All but the transactions. Of those that have a key and no receipt yet, the receipts."""
    # All receipts in one statement, and so in one order: a batch that has two keys and waits for the second
    # never has what another one with both is waiting for.
    if news.opened:
        await connection.execute(q.open_accounts, *columns.openings(news.opened))
    if news.changed:
        await connection.execute(q.change_accounts, *columns.changes(news.changed, news.posted))
    if news.answers:
        await connection.execute(q.keep_receipts, *columns.receipts([*news.answers, *unanswered]))
    if news.executed:
        await connection.execute(q.settle_queued, *columns.executions(news.executed))
    if news.queued:
        await connection.execute(q.enqueue, *columns.promises(news.queued))


def _needs_receipt(outcome: Outcome) -> bool:
    return isinstance(outcome, Posted) and outcome.key is not None and not outcome.id


def _is_answer(outcome: Outcome) -> bool:
    return isinstance(outcome, columns.Answer) and is_remembered(outcome)


def _sort(parts: Iterable[Outcome]) -> _News:
    news = _News([], [], [], [], [], [])
    for one in parts:
        match one:
            case Posted():
                news.posted.append(one)
            case Opened():
                news.opened.append(one)
            case Changed():
                news.changed.append(one)
            case Queued():
                news.queued.append(one)
            case Executed():  # its key has answered with the promise
                news.executed.append(one)
        if isinstance(one, columns.Answer) and is_remembered(one):
            news.answers.append(one)
    return news


def _parts(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes, each group's members before the group, and what a promise has become before its Executed."""
    for outcome in outcomes:
        if isinstance(outcome, Grouped):
            yield from _parts(outcome.outcomes)
        elif isinstance(outcome, Executed) and isinstance(outcome.outcome, Posted):
            yield outcome.outcome
        yield outcome


async def _post(connection: "AnyConnection", q: Queries, batch_id: UUID, posted: Sequence[Posted]) -> list[Posted]:
    """The transactions, written, with their ids."""
    batches = await connection.fetch(q.post, *columns.postings(posted), batch_id)
    ids = {ledger_id: iter(transaction_ids) for ledger_id, transaction_ids in batches}
    return [replace(one, id=next(ids[one.ledger_id])) for one in posted]
