"""What holds where a caller does not say otherwise, and how far a caller may go."""

from decimal import Decimal

from msgspec import Struct

from koshel.config.settings import Settings


class Terms(Struct, frozen=True):
    """The defaults, for where a caller does not say otherwise."""

    currency: str
    max_balance: Decimal
    hold_lifetime_s: int
    hold_lifetime_max_s: int
    schedule_max_s: int
    exchange_min_balance: Decimal


def terms_of(settings: Settings) -> Terms:
    """The settings that say what holds where a caller does not."""
    return Terms(
        settings.currency,
        settings.max_balance,
        settings.hold_lifetime_s,
        settings.hold_lifetime_max_s,
        settings.schedule_max_s,
        settings.exchange_min_balance,
    )
