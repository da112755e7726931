"""The same key gives the same answer for ever; with another request it is refused."""

from decimal import Decimal
from itertools import pairwise

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import ERASED, ChangeAccount, Command, Kind, Member, OpenAccount, Status
from koshel.core.decide import decide
from koshel.core.model import Book, Declined, Posted, Refusal, Replayed
from koshel.core.receipts import replay
from tests.support.wallets import (
    account,
    book,
    capture,
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
MOVED = transfer(1, 2, "12.345", key="k", metadata={"order": "1"})  # 12.34 on the books
BROKE = withdrawal(2, "12.345", key="k", metadata={"order": "1"})
OPENED = OpenAccount(1, "a@example.com", "USD", Decimal(-5), Decimal(10), {"vip": "yes"}, "k")
UNKNOWN = OpenAccount(1, "a@example.com", "GOLD", key="k")
PLAIN = OpenAccount(1, "a@example.com", key="k", default_max_balance=Decimal(10))
RESERVED = replace(hold(1, 2, "12.345", seconds=60, key="k"), metadata={"order": "1"})
CAPTURED = replace(capture(HELD, "12.345", key="k"), metadata={"order": "1"})
EXCESSIVE = replace(CAPTURED, amount=Decimal(41))
VOIDED = replace(void(HELD, key="k"), metadata={"order": "1"})
REFUNDED = replace(refund(PAID, "12.345", key="k"), metadata={"order": "1"})
CHANGED = ChangeAccount(
    1, 1, "b@example.com", Decimal(-5), Decimal(500), Status.FROZEN, {"vip": "no"}, expected=((1, 0), (2, 0)), key="k"
)
GROUPED = group(transfer(1, 2, "12.345", key="a"), capture(HELD), refund(PAID, "1", key="b"), key="k")
BROKEN = replace(GROUPED, members=(*GROUPED.members, payment(404, "1")))


def settled(first: Command) -> Book:
    return after(START, decide(START, [first]))


# What was asked first, and the same again in other words.
REPEATED: list[tuple[Command, Command]] = [
    (MOVED, MOVED),
    (MOVED, replace(MOVED, amount=Decimal("12.34"))),
    (MOVED, replace(MOVED, amount=Decimal("12.3400"))),
    (MOVED, replace(MOVED, amount=Decimal("12.335000001"))),
    (MOVED, replace(MOVED, metadata={**MOVED.metadata})),
    (payment(1, "1e1", key="k"), payment(1, "10.00", key="k")),
    (payment(4, "100", key="k"), payment(4, "1E+2", key="k")),
    (payment(4, "2.5", key="k"), payment(4, "2", key="k")),
    (BROKE, BROKE),
    (BROKE, replace(BROKE, amount=Decimal("12.3450"))),
    (GROUPED, replace(GROUPED, members=(replace(GROUPED.members[0], amount=Decimal("12.34")), *GROUPED.members[1:]))),
    (OPENED, OPENED),
    (OPENED, replace(OPENED, min_balance=Decimal("-5.00"))),
    (UNKNOWN, UNKNOWN),
    (PLAIN, replace(PLAIN, default_max_balance=Decimal(20))),  # the setting is ours, not the caller's
    (PLAIN, replace(PLAIN, default_currency="EUR")),
    (RESERVED, RESERVED),
    (RESERVED, replace(RESERVED, amount=Decimal("12.3450"), default_expires_in=1)),
    (CAPTURED, replace(CAPTURED, amount=Decimal("12.3450"))),
    (EXCESSIVE, EXCESSIVE),
    (VOIDED, VOIDED),
    (REFUNDED, REFUNDED),
    (CHANGED, replace(CHANGED, min_balance=Decimal("-5.0"))),
    (GROUPED, GROUPED),
    (GROUPED, replace(GROUPED, members=(*GROUPED.members,))),
    (BROKEN, BROKEN),
    (replace(BROKEN, atomic=False), replace(BROKEN, atomic=False)),
]


@pytest.mark.parametrize(("first", "again"), REPEATED)
def test_the_same_request_gets_the_first_answer(first: Command, again: Command) -> None:
    (answer,) = decide(START, [first])
    assert replay(settled(first), again) == Replayed(answer)  # type: ignore[arg-type]  # a first answer is none


@pytest.mark.parametrize("asked", [OPENED, CHANGED, replace(CHANGED, metadata=UNSET, metadata_patch={"vip": "no"})])
def test_of_what_was_erased_only_the_rest_is_compared(asked: OpenAccount | ChangeAccount) -> None:
    first = replace(asked, email=ERASED, metadata={})
    answer = Declined(first, Refusal.ACCOUNT_CLOSED, {})
    known = settled(payment(1, "1"))
    known.state.receipts[1, "k"] = answer
    assert replay(known, asked) == Replayed(answer)
    other = replay(known, replace(asked, min_balance=Decimal(-6)))
    assert isinstance(other, Declined)
    assert other.facts == {"field": "min_balance"}


_first, _second, _third = GROUPED.members
# The members of another group; the first of their fields that differs.
OTHER_MEMBERS: list[tuple[list[Member], str]] = [
    ([payment(2, "12.345", key="a"), _second, _third], "0/source_account_id"),
    ([transfer(1, 2, "12.3450001", key="a"), _second, refund(PAID)], "0/amount"),  # rounds to 12.35
    ([transfer(1, 2, "1", key="A"), _second, _third], "0/idempotency_key"),
    ([transfer(1, 2, "12.345"), _second, _third], "0/idempotency_key"),
    ([_first, void(HELD), _third], "1/void"),
    ([_first, capture(HELD, final=False), _third], "1/final"),
    ([_first, capture(HELD, key="c"), refund(HELD)], "1/idempotency_key"),
    ([_first, _second, refund(PAID, "2", key="b")], "2/amount"),
    ([_second, _first, _third], "0/idempotency_key"),
]


def _other(members: list[Member], field: str) -> tuple[Command, dict[str, object], str]:
    return GROUPED, {"members": tuple(members)}, f"transactions/{field}"


# What was asked first; the fields that are another's; the first of them, in the order of the request.
DIFFERING: list[tuple[Command, dict[str, object], str]] = [
    (MOVED, {"kind": Kind.PAYMENT, "source_account_id": None}, "kind"),
    (MOVED, {"source_account_id": 3, "target_account_id": 1}, "source_account_id"),
    (MOVED, {"target_account_id": 3, "amount": Decimal(1)}, "target_account_id"),
    (MOVED, {"amount": Decimal("12.35"), "metadata": {}}, "amount"),
    (MOVED, {"amount": Decimal("12.3450001")}, "amount"),  # rounds to 12.35
    (MOVED, {"amount": Decimal("999999999999999999.999")}, "amount"),
    (MOVED, {"metadata": {}}, "metadata"),
    (MOVED, {"metadata": {"order": "2"}}, "metadata"),
    (BROKE, {"source_account_id": 3, "amount": Decimal(1)}, "source_account_id"),
    (BROKE, {"amount": Decimal("12.34"), "metadata": {}}, "amount"),  # never posted, so never rounded
    (BROKE, {"metadata": {"order": "2"}}, "metadata"),
    (OPENED, {"email": "b@example.com", "currency": "EUR"}, "email"),
    (OPENED, {"currency": UNSET, "min_balance": Decimal(0)}, "currency"),
    (OPENED, {"min_balance": Decimal("-5.001"), "max_balance": None}, "min_balance"),
    (OPENED, {"max_balance": UNSET, "metadata": {}}, "max_balance"),
    (OPENED, {"metadata": {}}, "metadata"),
    (UNKNOWN, {"currency": "SILVER"}, "currency"),
    (PLAIN, {"currency": "USD"}, "currency"),  # the default, but said aloud
    (PLAIN, {"max_balance": None}, "max_balance"),
    (RESERVED, {"source_account_id": 2, "target_account_id": 1}, "source_account_id"),
    (RESERVED, {"target_account_id": None, "amount": Decimal(1)}, "target_account_id"),
    (RESERVED, {"amount": Decimal("12.34"), "expires_in": 1}, "amount"),  # as it was sent
    (RESERVED, {"expires_in": UNSET, "metadata": {}}, "expires_in"),
    (RESERVED, {"metadata": {}}, "metadata"),
    (CAPTURED, {"parent_id": PAID, "amount": None}, "parent_id"),
    (CAPTURED, {"amount": None, "final": False}, "amount"),
    (CAPTURED, {"amount": Decimal("12.34")}, "amount"),
    (CAPTURED, {"final": False, "metadata": {}}, "final"),
    (CAPTURED, {"metadata": {}}, "metadata"),
    (EXCESSIVE, {"amount": Decimal(40)}, "amount"),
    (VOIDED, {"parent_id": 404, "metadata": {}}, "parent_id"),
    (VOIDED, {"metadata": {}}, "metadata"),
    (REFUNDED, {"parent_id": HELD, "amount": None}, "parent_id"),
    (REFUNDED, {"amount": None, "metadata": {}}, "amount"),
    (REFUNDED, {"metadata": {"order": "2"}}, "metadata"),
    (CHANGED, {"account_id": 2, "email": UNSET}, "account_id"),
    (CHANGED, {"email": UNSET, "min_balance": UNSET}, "email"),
    (CHANGED, {"min_balance": UNSET, "max_balance": None}, "min_balance"),
    (CHANGED, {"max_balance": None, "status": UNSET}, "max_balance"),
    (CHANGED, {"status": Status.OPEN, "metadata": UNSET}, "status"),
    (CHANGED, {"metadata": {}, "expected": None}, "metadata"),
    (CHANGED, {"metadata": UNSET, "metadata_patch": {"vip": "no"}}, "metadata"),
    (CHANGED, {"metadata_patch": {}, "expected": None}, "metadata_patch"),
    (CHANGED, {"expected": ((1, 0),)}, "expected"),
    (CHANGED, {"unexpected": ((1, 0),)}, "unexpected"),
    (GROUPED, {"atomic": False, "members": ()}, "atomic"),
    (GROUPED, {"members": ()}, "transactions"),
    (GROUPED, {"members": GROUPED.members[:2]}, "transactions"),
    (BROKEN, {"members": GROUPED.members}, "transactions"),
    *[_other(members, field) for members, field in OTHER_MEMBERS],
]


@pytest.mark.parametrize(("first", "changed", "field"), DIFFERING)
def test_another_request_is_refused_and_told_the_first_field_that_differs(
    first: Command, changed: dict[str, object], field: str
) -> None:
    again = replace(first, **changed)
    expected = Declined(again, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})
    assert replay(settled(first), again) == expected
    assert decide(START, [first, again, first])[1:] == [expected, replay(settled(first), first)]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        *[(MOVED, OPENED), (BROKE, OPENED), (OPENED, MOVED), (UNKNOWN, MOVED), (PLAIN, BROKE)],
        *pairwise([RESERVED, CAPTURED, VOIDED, REFUNDED, CHANGED, GROUPED, MOVED]),
        *pairwise([BROKEN, EXCESSIVE, BROKE, VOIDED, CAPTURED, MOVED, GROUPED, RESERVED]),
    ],
)
def test_a_request_of_another_route_differs_in_kind(first: Command, again: Command) -> None:
    assert replay(settled(first), again) == Declined(again, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": "kind"})


@pytest.mark.parametrize(
    "command",
    [replace(MOVED, key=None), replace(MOVED, key="K"), replace(MOVED, ledger_id=2), replace(OPENED, key=None)],
)
def test_a_key_is_of_its_ledger_and_of_its_exact_letters(command: Command) -> None:
    assert replay(settled(MOVED), command) is None


def test_a_refused_reuse_leaves_the_first_answer_as_it_was() -> None:
    other = replace(MOVED, amount=Decimal(1))
    first, refused, replayed = decide(START, [MOVED, other, MOVED])
    assert isinstance(first, Posted)
    assert isinstance(refused, Declined)
    assert replayed == Replayed(first)


def test_the_replay_of_a_posting_is_the_posting_itself_so_that_it_has_the_id_it_gets() -> None:
    first, replayed = decide(START, [MOVED, MOVED])
    assert isinstance(replayed, Replayed)
    assert replayed.first is first


def test_what_has_no_key_has_no_receipt() -> None:
    for command in (RESERVED, CAPTURED, VOIDED, REFUNDED, CHANGED, GROUPED):
        assert replay(settled(command), replace(command, key=None)) is None
        assert not settled(replace(command, key=None)).state.receipts.keys() & {(1, "k")}


@pytest.mark.parametrize(
    "first", [MOVED, RESERVED, CAPTURED, VOIDED, REFUNDED, CHANGED, GROUPED, BROKEN, BROKE, OPENED]
)
def test_what_has_happened_since_does_not_change_an_answer(first: Command) -> None:
    since: list[Command] = [ChangeAccount(1, 1, status=Status.FROZEN), void(HELD), withdrawal(1, "1"), payment(2, "9")]
    answer, *_, again = decide(START, [first, *since, first])
    assert isinstance(again, Replayed)
    assert again.first is answer
