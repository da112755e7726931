"""References, descriptions and value dates, as a program says and sees them."""

from datetime import date
from typing import Any

import pytest

from koshel import Invalid, Ledger, Promise, Refused

SAID: dict[str, Any] = {"reference": "order 7", "description": "lunch", "effective_on": date(2026, 2, 28)}
NAMES = [*SAID]


def said(one: Any) -> list[Any]:
    return [getattr(one, name) for name in NAMES]


async def test_a_program_says_and_sees_them(ledger: Ledger, ann: int, bob: int) -> None:
    paid = await ledger.transfer(source=ann, target=bob, amount=5, key="k", **SAID)
    assert said(paid) == said(await ledger.transaction(paid.id)) == [*SAID.values()]
    again = await ledger.transfer(source=ann, target=bob, amount=5, key="k", **SAID | {"effective_on": "2026-02-28"})
    assert again == paid
    with pytest.raises(Refused) as refused:
        await ledger.transfer(source=ann, target=bob, amount=5, key="k", **SAID | {"reference": "order 8"})
    assert refused.value.facts == {"field": "reference"}


async def test_without_them_a_transaction_counts_for_its_own_day(ledger: Ledger, ann: int) -> None:
    for labels in ({}, dict.fromkeys(NAMES)):
        paid = await ledger.pay(ann, amount=1, **labels)
        assert said(paid) == said(await ledger.transaction(paid.id)) == [None, None, paid.ctime.date()]


async def test_what_follows_keeps_the_reference(ledger: Ledger, ann: int, bob: int) -> None:
    held = await ledger.hold(source=ann, target=bob, amount=5, **SAID)
    taken = await ledger.capture(held.id, amount=2, final=False)
    for one in (taken, await ledger.refund(taken.id), await ledger.void(held.id)):
        assert said(one) == ["order 7", None, one.ctime.date()]


async def test_what_is_queued_shows_what_was_said(ledger: Ledger, ann: int, bob: int) -> None:
    queued = await ledger.enqueue(ledger.requests.transfer(source=ann, target=bob, amount=5, **SAID))
    assert isinstance(queued, Promise)
    assert said(queued) == [*SAID.values()]
    assert said(await ledger.enqueue(ledger.requests.void(queued.id))) == [None, None, None]


@pytest.mark.parametrize(
    "labels",
    [
        {"reference": ""},
        {"reference": "x" * 256},
        {"reference": "a\n"},
        {"reference": 7},
        {"reference": "\ud800"},
        {"description": ""},
        {"description": "x" * 501},
        {"description": b"x"},
    ],
)
async def test_what_cannot_be_kept_is_invalid(ledger: Ledger, ann: int, labels: dict[str, Any]) -> None:
    (name,) = labels
    with pytest.raises(Invalid) as invalid:
        await ledger.pay(ann, amount=1, **labels)
    assert invalid.value.field == name
    with pytest.raises(Invalid) as invalid:
        await ledger.batch([ledger.requests.void(1, **labels)])
    assert invalid.value.field == f"transactions/0/{name}"
