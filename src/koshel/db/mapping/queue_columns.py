"""The columns of what is queued, as arrays, as in `columns`. No connection here."""

from collections.abc import Mapping, Sequence
from typing import Any

from koshel.core.commands import Enqueue
from koshel.core.enqueue import due
from koshel.core.model import Declined, Executed, Queued
from koshel.db.mapping.columns import arrays
from koshel.db.mapping.tables import DECLINED, QUEUED


def enqueued(queued: Sequence[Queued]) -> list[Any]:
    """The arguments of `enqueue`: the arrays, as text, and their one time."""
    rows = [_of_queued(one, one.command) for one in queued]
    return [*arrays(rows, QUEUED), queued[0].ctime]


def _of_queued(one: Queued, command: Enqueue) -> Mapping[str, Any]:
    moments = {"due": due(one), "execute_at": command.execute_at or None}
    return {"ledger_id": command.ledger_id, "id": one.id, "promise": one} | moments


def executions(executed: Sequence[Executed]) -> list[str]:
    """The arrays of `settle_queued`, as text."""
    answers = (e.outcome if isinstance(e.outcome, Declined) else None for e in executed)
    rows = [
        {"ledger_id": e.command.ledger_id, "id": e.command.id, "answer": answer}
        for e, answer in zip(executed, answers, strict=True)
    ]
    return arrays(rows, DECLINED)
