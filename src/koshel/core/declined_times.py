"""The refusals that tell a time."""

from datetime import datetime
from decimal import Decimal

from koshel.core.commands import Command, Enqueue, Hold, HoldEnd, Split
from koshel.core.declined import of_account
from koshel.core.model import Account, Declined, Refusal
from koshel.core.money import plain
from koshel.core.originals import Original
from koshel.core.turnovers import Excess, Way


def hold_expired(command: HoldEnd, original: Original) -> Declined:
    """The hold's time is up, whether or not that is booked yet."""
    assert original.expires_at is not None
    facts: dict[str, str | int] = {"transaction_id": command.parent_id, "expires_at": _shown(original.expires_at)}
    return Declined(command, Refusal.HOLD_EXPIRED, facts)


def limit_exceeded(command: Command, account: Account, way: Way, amount: Decimal, excess: Excess) -> Declined:
    """More than a limit by time has left."""
    facts = of_account(account) | {
        "currency": account.currency,
        "direction": way,
        "per": excess.per,
        "limit": plain(excess.limit),
        "left": plain(excess.left),
        "amount": plain(amount),
    }
    if excess.fits_at is not None:
        facts["fits_at"] = _shown(excess.fits_at)
    return Declined(command, Refusal.LIMIT_EXCEEDED, facts)


def scheduled_too_late(command: Enqueue, execute_at: datetime, latest: datetime) -> Declined:
    """It is due later than anything may be."""
    return _time_out_of_range(command, "execute_at", execute_at, latest)


def capture_too_late(command: Hold | Split | Enqueue, capture_at: datetime, expires_at: datetime) -> Declined:
    """It is to be captured when it has expired."""
    return _time_out_of_range(command, "capture_at", capture_at, expires_at)


def _time_out_of_range(command: Command, field: str, moment: datetime, latest: datetime) -> Declined:
    facts: dict[str, str | int] = {"field": field, "time": _shown(moment), "latest": _shown(latest)}
    return Declined(command, Refusal.TIME_OUT_OF_RANGE, facts)


def _shown(moment: datetime) -> str:
    """RFC 3339; the moment is in UTC already."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
