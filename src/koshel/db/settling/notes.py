"""Transactions whose notes are changed: read after the locks, and their changes written."""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from koshel.core.model import Annotated, Posted
from koshel.core.reach import QualifiedId
from koshel.db.mapping import columns, rows
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.mapping.tables import TRANSACTION_CHANGE
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


async def read(
    connection: "AnyConnection", q: Queries, wanted: Collection[QualifiedId]
) -> dict[int, tuple[Posted, int]]:
    """The transactions with their notes of now, and how often these were changed; by their ids."""
    if not wanted:  # as nearly always
        return {}
    pairs = columns.pairs(wanted)
    posted = [rows.posted(row) for row in await connection.fetch(q.find_members, *pairs)]
    noted = {one.id: (one, 0) for one in posted}
    for id_, revision, metadata, description in await connection.fetch(q.find_notes, *pairs):
        now = replace(noted[id_][0], metadata=rows.metadata(metadata), description=description)
        noted[id_] = now, revision
    return noted


async def record(connection: "AnyConnection", q: Queries, annotated: Sequence[Annotated]) -> None:
    """Write the changes of a batch, which has one time."""
    values = [{column.name: attrgetter(column.at)(one) for column in TRANSACTION_CHANGE} for one in annotated]
    await connection.execute(q.record_notes, *columns.arrays(values, TRANSACTION_CHANGE), annotated[0].ctime)


def standing(annotated: Annotated) -> FoundTransaction:
    """The transaction as it stood when its notes were changed, as it would have been read then."""
    left, refunded = annotated.remaining, annotated.refunded
    return FoundTransaction(annotated.transaction, annotated.status, remaining=left, refunded=refunded)
