"""Splits, as a program asks for them."""

from typing import Any

import pytest

from koshel import Hold, Invalid, Ledger, Misuse, Promise, Promised, Refused, Source, SplitResult, Target
from tests.library.conftest import balance


async def test_a_split_gives_a_transaction_for_each_leg(ledger: Ledger, ann: int, bob: int) -> None:
    made = await ledger.split(
        amount="0.03", source=ann, targets=[Target(bob, share="1%"), Target(bob, remaining=True)], key="order-1"
    )
    left_out, moved = made.transactions
    assert left_out is None
    assert moved is not None
    assert (str(moved.amount), moved.group_id) == ("0.03", made.group_id)
    assert made.group_id is not None
    assert await ledger.split_transactions(made.group_id) == [await ledger.transaction(moved.id)]
    assert await ledger.split_transactions(made.group_id + 1) is None
    again = await ledger.split(
        amount="0.03", source=ann, targets=[Target(bob, share="1%"), Target(bob, remaining=True)], key="order-1"
    )
    assert again == made


async def test_several_sources_are_reserved_and_captured_together(ledger: Ledger, ann: int, bob: int) -> None:
    held = await ledger.split(
        amount=10, target=bob, sources=[Source(ann, max=4), Source(ann)], hold=True, expires_in=60
    )
    holds = [one for one in held.transactions if one is not None]
    assert [(type(one), str(one.amount)) for one in holds] == [(Hold, "4.00"), (Hold, "6.00")]
    await ledger.batch([ledger.requests.capture(one.id) for one in holds])
    assert await balance(ledger, bob) == "10.00"


async def test_money_comes_from_outside_and_leaves_in_legs(ledger: Ledger, ann: int, bob: int) -> None:
    paid = await ledger.split(amount=10, source=None, targets=[Target(ann, share="50%"), Target(bob, share="50%")])
    out = await ledger.split(amount=10, target=None, sources=[Source(bob), Source(ann)])
    assert [one and one.kind for one in (*paid.transactions, *out.transactions)] == ["payment"] * 2 + ["withdrawal"] * 2
    assert (await balance(ledger, ann), await balance(ledger, bob)) == ("100.00", "0.00")


async def test_a_split_is_a_member_is_queued_and_is_rehearsed(ledger: Ledger, ann: int, bob: int) -> None:
    legs = [Target(bob, remaining=True)]
    (member,) = await ledger.batch([ledger.requests.split(amount=1, source=ann, targets=legs)])
    assert isinstance(member, SplitResult)
    tried = await ledger.rehearsal().split(amount=1, source=ann, targets=legs)
    assert tried.group_id is None
    promise = await ledger.enqueue(ledger.requests.split(amount=1, source=ann, targets=legs, key="later"))
    assert isinstance(promise, Promise)
    with pytest.raises(Promised):
        await ledger.split(amount=1, source=ann, targets=legs, key="later")


async def test_a_refused_split_is_raised(ledger: Ledger, ann: int, bob: int) -> None:
    with pytest.raises(Refused) as refused:
        await ledger.split(amount=101, target=bob, sources=[Source(ann)])
    assert (refused.value.code, refused.value.facts["missing"]) == ("insufficient-funds", "1.00")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"source": 1}, "targets"),
        ({"targets": [Target(2, share="100%")]}, "source_account_id"),
        ({"source": "1", "targets": [Target(2, share="100%")]}, "source"),
        ({"source": 1, "targets": [Target("2", share="100%")]}, "targets/0/target"),
        ({"source": 1, "targets": [Target(0, share="100%")]}, "targets/0/target_account_id"),
        ({"source": 1, "targets": [Target(2, share=0.5)]}, "targets/0/share"),  # type: ignore[arg-type]
        ({"source": 1, "targets": [Target(2, amount=0.5)]}, "targets/0/amount"),  # type: ignore[arg-type]
        ({"source": 1, "targets": [Target(2)]}, "targets/0"),
        ({"source": 1, "targets": [Target(2, remaining=1)]}, "targets/0/remaining"),  # type: ignore[arg-type]
        ({"source": 1, "targets": [Target(2, share="100%")], "expires_in": 60}, "expires_in"),
        ({"source": 1, "targets": [Target(2, share="100%")], "capture_at": "2030-01-01T00:00:00Z"}, "capture_at"),
        ({"source": None, "targets": [Target(2, share="100%")], "hold": True}, "source_account_id"),
        ({"source": 1, "targets": [Target(2, share="100%")], "metadata": {"a": 1}}, "metadata/a"),
    ],
)
async def test_what_can_never_be_right_is_invalid(ledger: Ledger, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Misuse) as wrong:
        await ledger.split(amount=1, **given)
    assert isinstance(wrong.value, Invalid)
    assert wrong.value.field == field
