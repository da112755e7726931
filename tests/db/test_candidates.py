"""What is known of a transaction by its own row is what its line says, to the last digit."""

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.core.commands import Kind
from koshel.core.money import SCALE_MAX, from_units, subtract
from koshel.db.reading.candidates import of_line
from koshel.db.reading.filters import Comparison, predicate


@settings(max_examples=30)
@given(units=st.integers(1, 10**36 - 1), scale=st.integers(0, SCALE_MAX))
def test_what_leaves_an_account_is_found_by_all_of_its_digits(units: int, scale: int) -> None:
    amount = from_units(units % 10 ** (18 + scale) or 1, scale)
    row: Any = {"kind": Kind.TRANSFER, "amount": amount, "source_account_id": 7, "target_account_id": 8}
    for account_id, change in ((7, subtract(Decimal(0), amount)), (8, amount)):
        is_met = predicate(Comparison("change", "in", (change,)), of_line(account_id), if_unknown=True)
        with localcontext(prec=3):
            assert is_met(row)


@pytest.mark.parametrize("kind", [Kind.HOLD, Kind.VOID, Kind.EXPIRY])
def test_what_only_holds_changes_no_balance(kind: Kind) -> None:
    row: Any = {"kind": kind, "amount": Decimal("5.00"), "source_account_id": 7, "target_account_id": 8}
    assert of_line(7)["change"].of(row) == 0
