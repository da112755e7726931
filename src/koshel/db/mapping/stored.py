"""Answers as receipts keep them, without what rows that never change say already; and the answers again."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from koshel.core.book import Recorded
from koshel.core.labelled import Metadata
from koshel.core.model import Annotated, Changed, Declined, First, Grouped, Opened, Posted, Queued
from koshel.core.notes import Annotate
from koshel.core.originals import TransactionStatus
from koshel.core.reach import QualifiedId
from koshel.db.mapping import group_receipts
from koshel.db.mapping.group_receipts import GroupReceipt
from koshel.db.mapping.split_receipts import SplitReceipt


class NoteReceipt(Struct, frozen=True, tag="annotated"):
    """What the key of a change of notes has answered. The transaction's own row says the rest."""

    command: Annotate
    revision: int
    metadata: Metadata
    description: str | None
    status: TransactionStatus
    ctime: datetime
    remaining: Decimal | None
    refunded: Decimal | None

    @property
    def place(self) -> tuple[int, int, int]:
        """Of the change: its ledger's id, its transaction's, and its revision."""
        return self.command.ledger_id, self.command.transaction_id, self.revision


Receipt: TypeAlias = Opened | Changed | NoteReceipt | Queued | GroupReceipt | SplitReceipt | Declined


def to_receipt(answer: Recorded) -> Receipt:
    """What is kept of an answer, once it has its ids."""
    if isinstance(answer, Grouped):
        return group_receipts.kept(answer)
    if isinstance(answer, Annotated):
        own = {name: getattr(answer, name) for name in ("command", "revision", "status", "ctime")}
        left = {name: getattr(answer, name) for name in ("remaining", "refunded")}
        now = answer.transaction
        return NoteReceipt(**own, **left, metadata=now.metadata, description=now.description)
    return answer


def transactions(receipt: Receipt | Posted) -> set[QualifiedId]:
    """The transactions that must be read to restore it, each with its ledger id."""
    if isinstance(receipt, NoteReceipt):
        return {(receipt.command.ledger_id, receipt.command.transaction_id)}
    return group_receipts.named(receipt)


def restored(receipt: Receipt | Posted, posted: Mapping[int, Posted]) -> First:
    """The answer as it was. `posted`: the transactions, by their ids."""
    if isinstance(receipt, NoteReceipt):
        then = replace(
            posted[receipt.command.transaction_id], metadata=receipt.metadata, description=receipt.description
        )
        standing = receipt.status, receipt.ctime, receipt.remaining, receipt.refunded
        return Annotated(receipt.command, then, receipt.revision, *standing)
    return group_receipts.answer(receipt, posted)
