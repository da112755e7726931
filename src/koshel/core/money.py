"""Exact decimal money: currencies, scales, rounding.

Nothing here loses a digit in silence: sums are taken in a context that traps an inexact result, and
the one operation that may round is called `rounded`.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import cache

import iso4217

INTEGER_DIGITS_MAX = 18  # of an amount, and of any balance, whatever the account's own limit
DECIMALS_MAX = 64  # that a request may send; what lies beyond the currency's scale is rounded away
SCALE_MAX = 18  # decimals that a currency may have: a wei is 10^-18 ether

CEILING = Decimal(10) ** INTEGER_DIGITS_MAX

# One digit more on the left than a balance may have, so that a sum can be compared with its limit.
_DIGITS = INTEGER_DIGITS_MAX + 1 + SCALE_MAX
_exact = Context(prec=_DIGITS, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_rounding = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
_quanta = [Decimal(1).scaleb(-scale) for scale in range(SCALE_MAX + 1)]

plus = _exact.add
minus = _exact.subtract


def rounded(amount: Decimal, scale: int) -> Decimal:
    """The amount with exactly `scale` decimals, half to even."""
    return _rounding.quantize(amount, _quanta[scale])


def representable(amount: Decimal) -> bool:
    """Whether it is finite, with no more digits on either side than money may be sent with."""
    if not amount.is_finite():
        return False
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return amount.adjusted() < INTEGER_DIGITS_MAX and exponent >= -DECIMALS_MAX


def plain(amount: Decimal) -> str:
    """As text without an exponent: `0.00`, never `0E-2`."""
    return f"{amount:f}"


@cache
def iso_scales() -> dict[str, int]:
    """Decimals by ISO 4217 code, for the codes that have any (gold, XAU, has no smallest unit)."""
    return {
        code: int(units)
        for code, entry in iso4217.raw_table.items()
        if isinstance(units := entry["CcyMnrUnts"], str) and units.isdigit()
    }
