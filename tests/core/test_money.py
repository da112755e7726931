"""Money is exact, or it raises."""

from decimal import Decimal, Inexact, InvalidOperation

import pytest

from koshel.core.money import CEILING, SCALE_MAX, has_no_unit, iso_scales, minus, plain, plus, rounded, rounded_limit

ROUNDINGS = [
    ("0", 2, "0.00"),
    ("12.5", 2, "12.50"),
    ("12.344", 2, "12.34"),
    ("12.345", 2, "12.34"),  # a tie goes to the even neighbour
    ("12.355", 2, "12.36"),
    ("12.3450000000001", 2, "12.35"),  # no tie
    ("0.005", 2, "0.00"),
    ("0.015", 2, "0.02"),
    ("0.5", 0, "0"),
    ("1.5", 0, "2"),
    ("2.5", 0, "2"),
    ("1e3", 0, "1000"),
    ("1e3", 2, "1000.00"),
    ("-0.015", 2, "-0.02"),
    ("12.0005", 3, "12.000"),
    ("12.0015", 3, "12.002"),
    ("0.0000000000000000005", 18, "0.000000000000000000"),
    ("0.0000000000000000015", 18, "0.000000000000000002"),
    ("999999999999999999.0000000000000000015", 18, "999999999999999999.000000000000000002"),
    ("999999999999999999.994", 2, "999999999999999999.99"),
    ("999999999999999999.995", 2, "1000000000000000000.00"),  # one digit more: what a limit is for
    ("0." + "1" * 64, 18, "0." + "1" * 18),
]


@pytest.mark.parametrize(("amount", "scale", "expected"), ROUNDINGS)
def test_an_amount_is_rounded_half_even_to_its_currency(amount: str, scale: int, expected: str) -> None:
    result = rounded(Decimal(amount), scale)
    assert plain(result) == expected
    assert result.as_tuple().exponent == -scale


@pytest.mark.parametrize(
    ("limit", "scale", "expected"),
    [
        ("-0.015", 2, "-0.02"),
        ("-0", 2, "0.00"),
        ("-0.004", 2, "0.00"),
        ("999999999999999999.995", 2, "999999999999999999.99"),
        ("-999999999999999999.5", 0, "-999999999999999999"),
        ("999999999999999999.9999999999999999946", 18, "999999999999999999.999999999999999995"),
    ],
)
def test_a_limit_is_rounded_but_to_no_nineteenth_digit_and_to_no_negative_zero(
    limit: str, scale: int, expected: str
) -> None:
    assert plain(rounded_limit(Decimal(limit), scale)) == expected


@pytest.mark.parametrize("amount", ["1e30", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_amount_of_money_cannot_be_rounded(amount: str) -> None:
    with pytest.raises(InvalidOperation):
        rounded(Decimal(amount), SCALE_MAX)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0E-18", "0.000000000000000000"),
        ("1E-18", "0.000000000000000001"),
        ("1E+3", "1000"),
        ("-1E-7", "-0.0000001"),
        ("12.50", "12.50"),
    ],
)
def test_money_is_printed_without_an_exponent(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text


SMALLEST = Decimal(1).scaleb(-SCALE_MAX)


def test_sums_of_the_largest_and_the_smallest_amounts_are_exact() -> None:
    largest = minus(CEILING, SMALLEST)
    assert plain(largest) == "9" * 18 + "." + "9" * 18
    assert plain(plus(largest, largest)) == "1" + "9" * 18 + "." + "9" * 17 + "8"
    assert plain(minus(minus(largest, SMALLEST), largest)) == "-0.000000000000000001"


def test_a_sum_that_would_lose_a_digit_raises() -> None:
    with pytest.raises(Inexact):
        plus(CEILING * 100, SMALLEST)
    with pytest.raises(Inexact):
        minus(CEILING * 100, SMALLEST)


@pytest.mark.parametrize(("code", "scale"), [("JPY", 0), ("USD", 2), ("EUR", 2), ("KWD", 3), ("CLF", 4)])
def test_iso_currencies_know_their_scale(code: str, scale: int) -> None:
    assert iso_scales()[code] == scale


@pytest.mark.parametrize(
    ("code", "is_iso"), [("XAU", True), ("XXX", True), ("POINTS", False), ("usd", False), ("", False)]
)
def test_a_currency_without_a_smallest_unit_has_no_scale(code: str, *, is_iso: bool) -> None:
    assert code not in iso_scales()
    assert has_no_unit(code) is is_iso


@pytest.mark.parametrize("code", ["USD", "JPY"])
def test_a_currency_with_decimals_has_a_smallest_unit_even_if_they_are_none(code: str) -> None:
    assert not has_no_unit(code)


def test_every_iso_scale_is_one_that_sums_can_hold() -> None:
    assert all(0 <= scale <= SCALE_MAX for scale in iso_scales().values())
