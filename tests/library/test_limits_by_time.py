"""Limits by time in a program: the same values are taken as over HTTP, and what was read can be sent."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from koshel import Ledger
from koshel.core.turnovers import Limit
from koshel.errors import Refused
from koshel.inputs.limits_by_time import limits
from koshel.inputs.values import Invalid


def test_what_a_program_gives_and_what_http_gives_is_one() -> None:
    told = (Limit("1d", Decimal("5.5"), None), Limit("1h", None, Decimal(7)))
    assert limits([{"per": "1d", "out": "5.5"}, {"per": "1h", "in": 7}]) == told
    assert limits([{"per": "1d", "out": Raw(b'"5.5"'), "in": Raw(b"null")}, {"per": "1h", "in": Raw(b"7")}]) == told
    assert limits(told) == told
    assert limits(None) == limits([]) == ()


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ("1d", "limits", "must be an array"),
        ({"per": "1d"}, "limits", "must be an array"),
        (["1d"], "limits/0", "must be an object"),
        ([{"per": "1d", "out": 1.5}], "limits/0/out", "must be exact: a Decimal, a str or an int"),
        ([{"per": "1d", "out": "-1"}], "limits/0/out", "must not be less than zero"),
        ([{"out": "1"}], "limits/0/per", "is required"),
        ([{"per": ["1d"], "out": "1"}], "limits/0/per", 'must be one of "1d", "1h", "30d", "365d", "7d"'),
        ([{"per": "1d"}], "limits/0", "must have out, or in, or both"),
        ([{"per": "1d", "out": 1, "most": 1}], "limits/0/most", "is not a field"),
        ([Limit("1d", Decimal(1)), {"per": "1d", "in": 1}], "limits/1/per", 'must not come twice: "1d"'),
        ([{"per": "1d", "out": 1}] * 6, "limits", "must have at most 5 members"),
    ],
)
def test_what_is_no_limit_is_named(given: Any, field: str, reason: str) -> None:
    with pytest.raises(Invalid) as told:
        limits(given)
    assert (told.value.field, told.value.reason) == (field, reason)


async def test_limits_of_an_account_by_the_library(ledger: Ledger) -> None:
    ann = await ledger.open_account("ann@example.com", limits=[{"per": "1d", "out": "60", "in": "100"}])
    assert ann.limits == (Limit("1d", Decimal("60.00"), Decimal("100.00")),)
    await ledger.pay(ann.id, amount="100")
    with pytest.raises(Refused) as refused:
        await ledger.withdraw(ann.id, amount="60.01")
    assert refused.value.code == "limit-exceeded"
    assert refused.value.facts["left"] == "60.00"
    higher = await ledger.change_account(ann.id, limits=[*ann.limits, {"per": "7d", "out": 80}])
    assert [one.per for one in higher.limits] == ["1d", "7d"]
    assert (await ledger.change_account(ann.id, email="new@example.com")).limits == higher.limits
    assert (await ledger.change_account(ann.id, limits=None)).limits == ()
    await ledger.withdraw(ann.id, amount="100")
