"""Changes of accounts, by their fields, for histories that are drawn at random."""

from decimal import Decimal
from typing import Any

from koshel.core.commands import Status
from tests.support.limited import LIMITS

CHANGES: list[dict[str, Any]] = [
    {"email": "c@example.com"},
    {"metadata": {"of": "new"}},
    *[{"metadata_patch": patch} for patch in ({"of": None}, {"of": "new", "to": "2"}, dict.fromkeys("abc", "x"))],
    *[{"metadata_patch": {str(number): "" for number in range(count)}} for count in (49, 50)],
    *[{"status": status} for status in (*Status, Status.OPEN, Status.FROZEN)],
    *[{"min_balance": Decimal(floor)} for floor in ("0", "-2.5", "-100")],
    *[{"max_balance": ceiling} for ceiling in (None, Decimal(0), Decimal("5.005"))],
    *[{"limits": limits} for limits in LIMITS],
    {"max_balance": Decimal(-1000), "min_balance": Decimal(0)},  # more than one refusal
    {"status": Status.OPEN, "expected": ((0, 0), (7, 0))},
    {"status": Status.FROZEN, "expected": ((0, 1), (8, 0))},
    {"status": Status.FROZEN, "unexpected": ((0, 0), (8, 0))},
]
