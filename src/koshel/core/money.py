"""Exact decimal money: currencies, scales, rounding.

Nothing here loses a digit in silence: sums are taken in a context that traps an inexact result, and
the one operation that may round is called `rounded`.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import cache

from koshel.core.iso_currencies import NO_DECIMALS, TABLE

INTEGER_DIGITS_MAX = 18  # of an amount, and of any balance, whatever the account's own limit
DECIMALS_MAX = 64  # that a request may send; what lies beyond the currency's scale is rounded away
SCALE_MAX = 18  # decimals that a currency may have: a wei is 10^-18 ether

CEILING = Decimal(10) ** INTEGER_DIGITS_MAX

# One digit more on the left than a balance may have, so that a sum can be compared with its limit.
_DIGITS = INTEGER_DIGITS_MAX + 1 + SCALE_MAX
_exact = Context(prec=_DIGITS, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_rounding = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
_truncating = Context(prec=_DIGITS, rounding=ROUND_DOWN, traps=[InvalidOperation, Overflow])
_quanta = [Decimal(1).scaleb(-scale) for scale in range(SCALE_MAX + 1)]

plus = _exact.add
minus = _exact.subtract

# The same of sums of any number of amounts, which may have more digits than a balance.
_summing = Context(prec=100, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
add = _summing.add
subtract = _summing.subtract

# The product of an amount and a rate is exact in this one, before it is rounded once.
_converting = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])

# The most that a balance may be, by scale, whatever the account's own limit: 999999999999999999.99 USD.
TOPS = [minus(CEILING, quantum) for quantum in _quanta]
ZEROS = [Decimal(0).scaleb(-scale) for scale in range(SCALE_MAX + 1)]  # by scale


def rounded(amount: Decimal, scale: int) -> Decimal:
    """The amount with exactly `scale` decimals, half to even."""
    return _rounding.quantize(amount, _quanta[scale])


def converted(amount: Decimal, rate: Decimal, scale: int) -> Decimal:
    """The amount times the rate, with exactly `scale` decimals, half to even; it may have any number of digits."""
    return _converting.quantize(_converting.multiply(amount, rate), _quanta[scale])


def rounded_limit(amount: Decimal, scale: int) -> Decimal:
    """A floor or a ceiling: rounded, but never up to a nineteenth digit; and zero has no sign."""
    limit = rounded(amount, scale)
    if limit.copy_abs() >= CEILING:  # abs() would round
        limit = _truncating.quantize(amount, _quanta[scale])
    return plus(limit, 0)


def scale_of(amount: Decimal) -> int:
    """How many decimals the amount has."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int), "neither NaN nor an infinity is an amount"
    return -exponent


def in_units(amount: Decimal, scale: int) -> int:
    """The amount, which has at most `scale` decimals, counted in the currency's smallest unit."""
    units = amount.scaleb(scale, _exact)
    whole = int(units)
    assert units == whole, "a part of the smallest unit"
    return whole


def from_units(units: int, scale: int) -> Decimal:
    """The amount that is so many of the currency's smallest unit."""
    return Decimal(units).scaleb(-scale, _exact)


def floored(amount: Decimal, scale: int) -> Decimal:
    """The amount with exactly `scale` decimals, never more than it was."""
    return _truncating.quantize(amount, _quanta[scale])


def plain(amount: Decimal) -> str:
    """As text without an exponent: `0.00`, never `0E-2`."""
    text = str(amount)
    return text if "E" not in text else f"{amount:f}"


def has_no_unit(code: str) -> bool:
    """Whether ISO 4217 has the code and no decimals for it."""
    return _iso().get(code) == NO_DECIMALS


@cache
def iso_scales() -> dict[str, int]:
    """Decimals by ISO 4217 code, for the codes that have any (gold, XAU, has no smallest unit)."""
    return {code: int(decimals) for code, decimals in _iso().items() if decimals != NO_DECIMALS}


@cache
def _iso() -> dict[str, str]:
    """Decimals by ISO 4217 code, as the table has them."""
    return {code: decimals for decimals, *codes in map(str.split, TABLE.splitlines()) for code in codes}
