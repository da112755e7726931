"""Limits by time: whether an amount still fits into what an account may move in an hour, a day or a year.

Out is all that leaves a balance: withdrawals, transfers, captures, refunds. What open holds reserve is set aside
besides, since it may leave at any moment: so what a hold has reserved can be captured, whenever that is, and a hold
that is voided or expires gives it back. In is all that comes into a balance. A refund gives nothing back.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from koshel.core import declined_times
from koshel.core.commands import Command
from koshel.core.model import Account, Book, Declined
from koshel.core.money import ZEROS, add, rounded_limit, subtract
from koshel.core.turnovers import LAST, Excess, Limit, Turnover, Way


def rounded(limits: Iterable[Limit], scale: int) -> tuple[Limit, ...]:
    """The limits with exactly as many decimals as the currency has."""
    return tuple(Limit(one.per, _rounded(one.out, scale), _rounded(one.in_, scale)) for one in limits)


def _rounded(amount: Decimal | None, scale: int) -> Decimal | None:
    return None if amount is None else rounded_limit(amount, scale)


def exceeded(
    book: Book,
    command: Command,
    source: Account | None,
    target: Account | None,
    amount: Decimal,
    *,
    is_reserved: bool = False,
) -> Declined | None:
    """The refusal if the amount does not fit into a limit of either side; the source's comes first.

    `is_reserved`: the amount is a part of what the source has held.
    """
    turnovers = book.state.turnovers
    if source is not None and source.id in turnovers:
        held = ZEROS[source.scale] if is_reserved else source.held
        if excess := _excess(turnovers[source.id], "out", held, amount, book.facts.now):
            return declined_times.limit_exceeded(command, source, "out", amount, excess)
    if target is None or target.id not in turnovers:
        return None
    excess = _excess(turnovers[target.id], "in", ZEROS[target.scale], amount, book.facts.now)
    return declined_times.limit_exceeded(command, target, "in", amount, excess) if excess else None


def left(turnover: Turnover, held: Decimal) -> Decimal | None:
    """What may still go out within all limits; `held` is what open holds reserve. None: any amount."""
    lefts = [
        subtract(limit.out, add(turnover.used(limit.per, "out"), held))
        for limit in turnover.limits
        if limit.out is not None
    ]
    return max(Decimal(0), min(lefts)) if lefts else None


def _excess(turnover: Turnover, way: Way, held: Decimal, amount: Decimal, now: datetime) -> Excess | None:
    """Of several limits that it does not fit into, the one that it fits into last."""
    last: Excess | None = None
    for limit in turnover.limits:
        most = limit.out if way == "out" else limit.in_
        if most is None:
            continue
        left = subtract(most, add(turnover.used(limit.per, way), held))
        if amount > left:
            fits_at = turnover.fits_at(limit.per, way, subtract(amount, left), now)
            if last is None or (fits_at or LAST) > (last.fits_at or LAST):
                last = Excess(limit.per, most, max(left, subtract(most, most)), fits_at)
    return last
