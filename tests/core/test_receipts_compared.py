"""Under one key: two requests to one route differ in a field, two requests to different routes in their kind."""

from typing import Any

import pytest
from msgspec.structs import replace

from koshel.core.commands import ChangeAccount, Command, Deferrable, Kind, OpenAccount
from koshel.core.decide import decide
from koshel.core.legs import SplitSource
from koshel.core.model import Declined, Grouped, Refusal
from koshel.core.receipts import replay
from tests.support.exchanges import exchange
from tests.support.split_legs import end, split, to
from tests.support.wallets import (
    account,
    book,
    by_names,
    capture,
    enqueue,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
    withdrawal,
)

PAID, HELD = 101, 102
START = kept(
    book(account(1, "100.00"), account(2, "0.00"), account(3, "0.00"), account(4, "0", "JPY")),
    payment(1, "20"),
    hold(1, 2, "40"),
)
MOVED, LEFT, CAME = transfer(1, 2, "10", key="k"), withdrawal(1, "10", key="k"), payment(2, "10", key="k")
RESERVED = hold(1, 2, "10", key="k")
CAPTURED, VOIDED, REFUNDED = capture(HELD, key="k"), void(HELD, key="k"), refund(PAID, key="k")
SPREAD = replace(split("10", source=1, targets=[to(2, "6"), to(3)]), key="k")
DRAWN = replace(split("10", target=2, sources=[SplitSource(1), SplitSource(3)]), key="k")
SPREAD_HOLDS, DRAWN_HOLDS = (replace(one, kind=Kind.HOLD) for one in (SPREAD, DRAWN))
EXCHANGED = replace(exchange(1, 4, "10", "1500"), key="k")

# Two requests to POST /transaction; the field that only one of them has: if they come in this order, and in the other.
OF_ONE_ROUTE: list[tuple[Deferrable, Deferrable, str, str]] = [
    (MOVED, RESERVED, "hold", "hold"),
    (MOVED, replace(RESERVED, target_account_id=None), "hold", "hold"),
    (MOVED, SPREAD, "targets", "targets"),
    (MOVED, DRAWN, "sources", "sources"),
    (MOVED, SPREAD_HOLDS, "targets", "targets"),
    (RESERVED, SPREAD, "targets", "hold"),
    (RESERVED, DRAWN_HOLDS, "sources", "sources"),
    (SPREAD, DRAWN, "sources", "targets"),
    (SPREAD, SPREAD_HOLDS, "hold", "hold"),
]
# The same of what only members of batches can be, or of what is sent to other routes alone.
OF_MEMBERS: list[tuple[Deferrable, Deferrable, str, str]] = [
    (MOVED, EXCHANGED, "exchange", "exchange"),
    (SPREAD, EXCHANGED, "exchange", "targets"),
    (MOVED, CAPTURED, "capture", "capture"),
    (CAPTURED, VOIDED, "void", "capture"),
    (RESERVED, REFUNDED, "refund", "hold"),
    (MOVED, LEFT, "target_account_id", "target_account_id"),
    (MOVED, CAME, "source_account_id", "source_account_id"),
    (LEFT, CAME, "source_account_id", "source_account_id"),
    (by_names(MOVED, "a", "b"), by_names(LEFT, "a", None), "target_account_id", "target"),
    (by_names(MOVED, "a", "b"), by_names(CAME, None, "b"), "source_account_id", "source"),
    (CAME, RESERVED, "hold", "hold"),
]


def reused(command: Command, field: str) -> Declined:
    return Declined(command, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})


@pytest.mark.parametrize(("one", "other", "field", "field_back"), OF_ONE_ROUTE)
def test_a_field_that_only_one_of_two_requests_to_a_route_has_is_named(
    one: Deferrable, other: Deferrable, field: str, field_back: str
) -> None:
    for first, again, named in ((one, other, field), (other, one, field_back)):
        for asked in (first, enqueue(first)):
            answered = kept(START, asked, first_id=201)
            assert replay(answered, again) == reused(again, named)
            assert replay(answered, enqueue(again)) == reused(enqueue(again), named)


@pytest.mark.parametrize(("one", "other"), [both[:2] for both in OF_MEMBERS])
def test_requests_to_two_routes_differ_in_kind(one: Deferrable, other: Deferrable) -> None:
    for first, again in ((one, other), (other, one)):
        assert replay(kept(START, first, first_id=201), again) == reused(again, "kind")


@pytest.mark.parametrize(("one", "other", "field", "field_back"), OF_ONE_ROUTE + OF_MEMBERS)
def test_all_members_of_batches_are_requests_to_one_route(one: Any, other: Any, field: str, field_back: str) -> None:
    for first, again, named in ((one, other, field), (other, one, field_back)):
        answered = kept(START, group(first, atomic=False), first_id=201)
        (outcome,) = decide(answered, [group(again, atomic=False)])
        assert isinstance(outcome, Grouped)
        assert outcome.outcomes == [reused(again, named)]
        keyless = [replace(member, key=None) for member in (first, again)]
        was, now = (group(member, atomic=False, key="group") for member in keyless)
        assert replay(kept(START, was, first_id=201), now) == reused(now, f"transactions/0/{named}")


@pytest.mark.parametrize(
    "first",
    [
        OpenAccount(1, "a@example.com", key="k"),
        ChangeAccount(1, 1, key="k"),
        end("capture", HELD, key="k"),
        group(payment(1, "1"), key="k"),
    ],
)
def test_what_can_be_no_member_differs_from_any_member_in_kind(first: Command) -> None:
    (outcome,) = decide(kept(START, first, first_id=201), [group(MOVED, atomic=False)])
    assert isinstance(outcome, Grouped)
    assert outcome.outcomes == [reused(MOVED, "kind")]
