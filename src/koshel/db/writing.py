"""What a batch writes, in order: ids before what names them, accounts and receipts before transactions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct, field

from koshel.core.book import is_remembered
from koshel.core.model import Changed, Executed, Grouped, Opened, Outcome, Posted, Queued
from koshel.db import columns
from koshel.db.ids import Ids, give_accounts, give_groups, give_transactions
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class _News(Struct):
    """What of a batch's outcomes is new, by what becomes of it, in the order in which it was decided."""

    posted: list[Posted]
    opened: list[Opened] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    queued: list[Queued] = field(default_factory=list)
    executed: list[Executed] = field(default_factory=list)
    atomic: list[Grouped] = field(default_factory=list)
    answers: list[columns.Answer] = field(default_factory=list)  # that a key gives from now on

    def ledger_ids(self) -> set[int]:
        """Whose they are."""
        outcomes = (*self.opened, *self.changed, *self.queued, *self.executed, *self.answers)
        return {one.command.ledger_id for one in outcomes}


async def write(
    connection: "AnyConnection", q: Queries, batch_id: UUID, ids: Ids, outcomes: Sequence[Outcome]
) -> int | None:
    """Write what is new, and give it its ids; returns a ledger that has the batch's row, if there is one."""
    news = _sort(outcomes)
    # All receipts in one statement, and so in one order: a batch that has two keys and waits for the second
    # never has what another one with both is waiting for.
    receipts = [*news.answers, *(one for one in news.posted if one.key and not one.id)] if news.answers else []
    await give_accounts(connection, q, news.opened)
    # Nearly always all that is posted gets its ids, and its receipts, when it is written.
    promised: list[Posted | Queued] = [*news.queued, *(one for one in news.posted if news.answers and not one.id)]
    await give_transactions(connection, q, ids, promised)
    give_groups(ids, news.atomic)
    if news.opened:
        opened = news.opened
        await connection.execute(q.open_accounts, *columns.openings(opened), opened[0].account.ctime)
    if news.changed:
        await connection.execute(q.change_accounts, *columns.changes(news.changed, news.posted))
    if receipts:
        await connection.execute(q.keep_receipts, *columns.receipts(receipts))
    if news.posted:
        await _post(connection, q, batch_id, news.posted)
    if news.executed:
        await connection.execute(q.settle_queued, *columns.executions(news.executed))
    if news.queued:
        await connection.execute(q.enqueue, *columns.promises(news.queued), news.queued[0].ctime)
    if news.posted:
        return news.posted[0].ledger_id
    if ledger_ids := sorted(news.ledger_ids()):
        await connection.execute(q.record_batch, ledger_ids, batch_id)
        return ledger_ids[0]
    return None


def _sort(outcomes: Iterable[Outcome]) -> _News:
    posted: list[Posted] = []
    rest: list[Outcome] = []  # nearly always nothing, or a group
    for part in _parts(outcomes):
        if isinstance(part, Posted):
            posted.append(part)
        else:
            rest.append(part)
    return _News(
        posted,
        opened=[o for o in rest if isinstance(o, Opened)],
        changed=[o for o in rest if isinstance(o, Changed)],
        queued=[o for o in rest if isinstance(o, Queued)],
        executed=[o for o in rest if isinstance(o, Executed)],
        atomic=[o for o in rest if isinstance(o, Grouped) and o.command.atomic],
        # The key of what was executed has answered with the promise.
        answers=[o for o in rest if isinstance(o, columns.Answer) and is_remembered(o)],
    )


def _parts(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes, each group's members before the group, and what a promise has become before its Executed."""
    for outcome in outcomes:
        if isinstance(outcome, Grouped):
            yield from _parts(outcome.outcomes)
        elif isinstance(outcome, Executed) and isinstance(outcome.outcome, Posted):
            yield outcome.outcome
        yield outcome


async def _post(connection: "AnyConnection", q: Queries, batch_id: UUID, posted: Sequence[Posted]) -> None:
    batches = await connection.fetch(
        q.post,
        *columns.postings(posted),
        posted[0].ctime,
        batch_id,
        *columns.lasts(posted),
        *columns.rarities(posted),
    )
    ids = {ledger_id: iter(transaction_ids) for ledger_id, transaction_ids in batches}
    for one in posted:
        one.id = next(ids[one.ledger_id])
