"""One amount in legs: what each leg is, and that all of them are decided as one."""

from decimal import Decimal
from typing import Any

import pytest

from koshel.core.commands import Kind, Request, Split
from koshel.core.decide import decide
from koshel.core.legs import LeftOut
from koshel.core.model import Declined, Grouped, Posted, Refusal
from koshel.core.sides import Named
from tests.support.split_legs import BOOK, of, split, to
from tests.support.wallets import SCALES, account, book, capture, group, kept, payment, postings, transfer

R = Refusal
TEN = Decimal(10)


# A split, and the amount of each leg.
LEGS: list[tuple[Split, list[str]]] = [
    (split("100", source=1, targets=[to(2, "85%"), to(3)]), ["85.00", "15.00"]),
    (split("10", source=1, targets=[to(2, "2.9%"), to(3, "0.30"), to(4)]), ["0.29", "0.30", "9.41"]),
    (split("10", source=1, targets=[to(2, "1/3"), to(3, "1/3"), to(4, "1/3")]), ["3.34", "3.33", "3.33"]),
    (split("10", source=1, targets=[to(2, "1/3"), to(3), to(4, "1/3")]), ["3.34", "3.33", "3.33"]),
    (split("10", source=1, targets=[to(3), to(2, "1/3"), to(4, "1/3")]), ["3.34", "3.33", "3.33"]),
    (split("0.01", source=1, targets=[to(2, "1/3"), to(3, "1/3"), to(4, "1/3")]), ["0.01", "0.00", "0.00"]),
    (split("0.05", source=1, targets=[to(2, "50%"), to(3, "50%")]), ["0.03", "0.02"]),
    (split("0.05", source=1, targets=[to(2, "10%"), to(3)]), ["0.01", "0.04"]),
    (split("0.02", source=1, targets=[to(2, "10%"), to(3)]), ["0.00", "0.02"]),
    (split("10", source=1, targets=[to(2, "5"), to(3, "50%")]), ["5.00", "5.00"]),
    (split("10", source=1, targets=[to(2, "10"), to(3)]), ["10.00", "0.00"]),
    (split("10", source=1, targets=[to(2)]), ["10.00"]),
    (split("10", source=1, targets=[to(2, "10%"), to(2, "0.30"), to(3)]), ["1.00", "0.30", "8.70"]),
    (split("10.005", source=1, targets=[to(2, "50%"), to(3, "50%")]), ["5.00", "5.00"]),
    (split("100", source=5, targets=[to(6, "33.3%"), to(6)]), ["33", "67"]),
    (split("1", source=11, targets=[to(12, "1/3"), to(12, "2/3")]), ["0.333", "0.667"]),
    (split("10", targets=[to(2, "50%"), to(3, "50%")]), ["5.00", "5.00"]),
    (split("20", target=3, sources=[of(2), of(1)]), ["5.00", "15.00"]),
    (split("20", target=3, sources=[of(1), of(2)]), ["20.00", "0.00"]),
    (split("20", target=3, sources=[of(1, "12.345"), of(2), of(4)]), ["12.34", "5.00", "2.66"]),
    (split("20", target=3, sources=[of(1, "0.009"), of(1)]), ["0.00", "20.00"]),
    (split("8", target=3, sources=[of(1, remaining=True), of(2), of(4, "2")]), ["1.00", "5.00", "2.00"]),
    (split("8", target=3, sources=[of(2), of(4, "25%"), of(1)]), ["5.00", "2.00", "1.00"]),
    (split("10", target=3, sources=[of(1, "1/3"), of(1, "1/3"), of(2)]), ["3.34", "3.33", "3.33"]),
    (split("6", target=3, sources=[of(2, "50%"), of(2), of(1)]), ["3.00", "2.00", "1.00"]),
    (split("6", target=3, sources=[of(2), of(1), of(2, "50%")]), ["2.00", "1.00", "3.00"]),
    (split("0.01", target=3, sources=[of(1, "50%"), of(2)]), ["0.01", "0.00"]),
    (split("8", target=None, sources=[of(2), of(1)]), ["5.00", "3.00"]),
]

# A split that is refused: by which refusal, and for which account or field.
REFUSED: list[tuple[Split, Refusal, dict[str, Any]]] = [
    (split("1", source=1, targets=[to(2, "50%"), to(1, "50%")]), R.SAME_ACCOUNT, {"account_id": 1}),
    (split("1", target=1, sources=[of(2), of(1)]), R.SAME_ACCOUNT, {"account_id": 1}),
    (
        split("1", source=404, targets=[to(405)]),
        R.ACCOUNT_NOT_FOUND,
        {"account_id": 404, "field": "source_account_id"},
    ),
    (
        split("1", source=1, targets=[to(2, "50%"), to(10, "50%")]),
        R.ACCOUNT_NOT_FOUND,
        {"account_id": 10, "field": "targets/1/target_account_id"},
    ),
    (
        split("1", target=404, sources=[of(1), of(405)]),
        R.ACCOUNT_NOT_FOUND,
        {"account_id": 405, "field": "sources/1/source_account_id"},
    ),
    (
        split("1", source=1, targets=[to(2, "50%"), to(5, "50%")]),
        R.CURRENCY_MISMATCH,
        {"source_currency": "USD", "target_currency": "JPY"},
    ),
    (
        split("1", targets=[to(2, "50%"), to(5, "50%")]),
        R.CURRENCY_MISMATCH,
        {"source_currency": "USD", "target_currency": "JPY"},
    ),
    (
        split("1", sources=[of(5), of(1)]),
        R.CURRENCY_MISMATCH,
        {"source_currency": "USD", "target_currency": "JPY"},
    ),
    (split("0.004", source=1, targets=[to(2)]), R.AMOUNT_OUT_OF_RANGE, {"amount": "0.00"}),
    (split("1", source=1, targets=[to(2, "0.5"), to(8)]), R.ACCOUNT_CLOSED, {"account_id": 8}),
    (split("1", source=9, targets=[to(2, "0.5"), to(8)]), R.ACCOUNT_CLOSED, {"account_id": 8}),
    (split("1", target=3, sources=[of(1), of(9)]), R.ACCOUNT_FROZEN, {"account_id": 9}),
    (
        split("100.01", source=1, targets=[to(2, "50%"), to(3)]),
        R.INSUFFICIENT_FUNDS,
        {"account_id": 1, "available": "100.00", "required": "100.01"},
    ),
    (
        split("12", target=3, sources=[of(2), of(4)]),
        R.INSUFFICIENT_FUNDS,
        {"available": "11.00", "required": "12.00", "missing": "1.00"},
    ),
    (
        split("8", target=3, sources=[of(2, "50%"), of(2, "50%")]),
        R.INSUFFICIENT_FUNDS,
        {"account_id": 2, "available": "5.00", "required": "8.00"},
    ),
    (split("5", source=1, targets=[to(3, "3"), to(7)]), R.BALANCE_LIMIT_EXCEEDED, {"account_id": 7, "amount": "2.00"}),
    (split("1.01", source=1, targets=[to(7, "1"), to(7)]), R.BALANCE_LIMIT_EXCEEDED, {"account_id": 7}),
    (split("1.01", target=7, sources=[of(1), of(2)]), R.BALANCE_LIMIT_EXCEEDED, {"amount": "1.01"}),
]


def decided(command: Split) -> Grouped:
    (outcome,) = decide(BOOK, [command])
    assert isinstance(outcome, Grouped), outcome
    return outcome


@pytest.mark.parametrize(("command", "amounts"), LEGS)
def test_each_leg_is_a_transaction_between_its_accounts(command: Split, amounts: list[str]) -> None:
    legs = decided(command).outcomes
    assert [str(leg.amount) for leg in legs if isinstance(leg, Posted | LeftOut)] == amounts
    for leg, (source_id, target_id) in zip(legs, command.pairs, strict=True):
        if isinstance(leg, LeftOut):
            assert (leg.source_account_id, leg.target_account_id) == (source_id, target_id)
            assert not leg.amount
        else:
            assert isinstance(leg, Posted)
            assert leg.kind is command.kind
            assert source_id == (leg.source.account_id if leg.source else None)
            assert target_id == (leg.target.account_id if leg.target else None)


@pytest.mark.parametrize(("command", "refusal", "facts"), REFUSED)
def test_a_split_is_refused_as_a_whole(command: Split, refusal: Refusal, facts: dict[str, Any]) -> None:
    (outcome,) = decide(BOOK, [command])
    assert isinstance(outcome, Declined), outcome
    assert (outcome.command, outcome.refusal) == (command, refusal)
    assert facts.items() <= outcome.facts.items()


def test_a_hold_is_reserved_in_legs_and_each_can_be_captured_by_itself() -> None:
    command = split("10", source=1, targets=[to(2, "80%"), to(3)], is_hold=True, seconds=60)
    ahead = kept(BOOK, command)
    assert ahead.state.accounts[1].held == TEN
    (first, second) = postings([decided(command)])
    assert (first.target, second.target) == (Named(2), Named(3))
    assert (first.expires_at, first.rest, second.rest) == (second.expires_at, Decimal(8), Decimal(2))
    (captured,) = decide(ahead, [capture(101)])
    assert isinstance(captured, Posted)
    assert captured.amount == Decimal(8)


def test_a_split_is_a_member_of_a_batch_with_a_group_of_its_own() -> None:
    members: list[Request] = [
        payment(3, "1"),
        split("1", source=3, targets=[to(2, "50%"), to(4)]),
        transfer(2, 1, "5.50"),
    ]
    (outcome,) = decide(BOOK, [group(*members)])
    assert isinstance(outcome, Grouped)
    assert [type(one) for one in outcome.outcomes] == [Posted, Grouped, Posted]
    refused = [*members, split("1", source=3, targets=[to(2)])]
    (outcome,) = decide(BOOK, [group(*refused)])
    assert isinstance(outcome, Declined)
    assert (outcome.refusal, outcome.facts) == (R.BATCH_REFUSED, {"index": 3})
    (outcome,) = decide(BOOK, [group(*refused, atomic=False)])
    assert isinstance(outcome, Grouped)
    assert [type(one) for one in outcome.outcomes] == [Posted, Grouped, Posted, Declined]


def test_a_refused_split_leaves_nothing_behind() -> None:
    refused = split("5", source=1, targets=[to(3, "3"), to(7)])
    (first, after_it) = decide(BOOK, [refused, transfer(3, 1, "1")])
    assert isinstance(first, Declined)
    assert isinstance(after_it, Declined)
    assert after_it.refusal is R.INSUFFICIENT_FUNDS


@pytest.mark.parametrize("currency", SCALES)
def test_the_smallest_unit_is_that_of_the_currency(currency: str) -> None:
    scale = SCALES[currency]
    ahead = book(account(1, "1000", currency, ceiling=None), account(2, "0", currency, ceiling=None))
    unit = str(Decimal(1).scaleb(-scale))
    (outcome,) = decide(ahead, [split(unit, source=1, targets=[to(2, "1/3"), to(2, "1/3"), to(2, "1/3")])])
    assert isinstance(outcome, Grouped)
    assert [type(leg) for leg in outcome.outcomes] == [Posted, LeftOut, LeftOut]
    assert outcome.command.key is None
    assert Kind.TRANSFER in {one.kind for one in postings([outcome])}
