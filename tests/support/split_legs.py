"""Splits in one line each, their legs in one word, and a book for them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, UnsetType

from koshel.core.commands import Kind, Split, Status
from koshel.core.ending import EndSplit
from koshel.core.legs import SplitSource, SplitTarget
from tests.support.wallets import DAY, account, book


def to(account_id: int, part: str | None = None) -> SplitTarget:
    """A target, by its share (`85%`), its amount (`5.00`), or with all that remains."""
    if part is None:
        return SplitTarget(account_id, remaining=True)
    is_share = part.endswith("%") or "/" in part
    return SplitTarget(account_id, part) if is_share else SplitTarget(account_id, amount=Decimal(part))


def of(account_id: int, part: str | None = None, *, remaining: bool = False) -> SplitSource:
    """A source, by its share (`85%`), with the most that it gives (`5.00`), or with what it can."""
    if part is None:
        return SplitSource(account_id, remaining=remaining)
    is_share = part.endswith("%") or "/" in part
    return SplitSource(account_id, part) if is_share else SplitSource(account_id, max=Decimal(part))


BOOK = book(
    account(1, "100.00"),
    account(2, "5.00"),
    account(3, "0.00"),
    account(4, "7.50", held="2.50", floor="-1.00"),
    account(5, "1000", "JPY"),
    account(6, "0", "JPY"),
    account(7, "9.00", ceiling="10.00"),
    account(8, "0.00", status=Status.CLOSED),
    account(9, "9.00", status=Status.FROZEN),
    account(10, "50.00", ledger_id=2),
    account(11, "10.000", "KWD"),
    account(12, "0.000", "KWD"),
)


def split(
    amount: str,
    *,
    source: int | None = None,
    target: int | None = None,
    sources: Sequence[SplitSource] = (),
    targets: Sequence[SplitTarget] = (),
    is_hold: bool = False,
    seconds: int | UnsetType = UNSET,
    key: str | None = None,
    ledger_id: int = 1,
) -> Split:
    """Money in legs; a side of None, and without legs, is the world outside."""
    is_payment, is_withdrawal = source is None and not sources, target is None and not targets
    kind = Kind.PAYMENT if is_payment else Kind.WITHDRAWAL if is_withdrawal else Kind.TRANSFER
    if is_hold and not is_payment:
        kind = Kind.HOLD
    return Split(
        ledger_id,
        kind,
        Decimal(amount),
        seconds,
        key,
        DAY,
        source_account_id=source,
        target_account_id=target,
        sources=(*sources,),
        targets=(*targets,),
    )


def end(
    kind: Literal["capture", "void"], *holds: int, split_id: int = 7, key: str | None = None, ledger_id: int = 1
) -> EndSplit:
    """All holds of a split, captured or voided together."""
    return EndSplit(ledger_id, split_id, kind, holds, key)
