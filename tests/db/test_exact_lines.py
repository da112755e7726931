"""Lines, sums and statements lose no digit, however many an amount has."""

from decimal import Decimal

import pytest

from koshel.core.decide import decide
from koshel.core.model import Posted
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.reading.lines import line
from koshel.db.reading.totals import Totals
from tests.support.wallets import account, book, payment, scaled, withdrawal

LONG = "12345678901234567.123456789012345678"


@pytest.mark.parametrize(("command", "change"), [(withdrawal(1, LONG), f"-{LONG}"), (payment(1, LONG), LONG)])
def test_the_change_of_a_line_is_the_amount(command: object, change: str) -> None:
    rich = account(1, "99999999999999999", "WEI", ceiling=None)
    (posted,) = decide(book(rich), [command])  # type: ignore[list-item]
    assert isinstance(posted, Posted), posted
    assert str(line(1, FoundTransaction(posted, "posted")).change) == change


def test_sums_of_many_digits_are_compared_exactly() -> None:
    paid_in, paid_out = scaled("999999999999999999.999999999999999999", 18), scaled("0.000000000000000001", 18)
    balance = Decimal("999999999999999999.999999999999999998")
    assert Totals("WEI", 1, balance, scaled("0", 18), paid_in, paid_out).balanced
    assert not Totals("WEI", 1, balance, scaled("0", 18), paid_in, scaled("0", 18)).balanced
