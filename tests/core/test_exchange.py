"""Exchanging money: two transfers, both or neither, through accounts that are opened when they are needed."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import Kind, Status
from koshel.core.decide import decide
from koshel.core.exchange import EMAIL
from koshel.core.model import Book, Declined, Grouped, Opened, Outcome, Posted, Refusal, Replayed
from koshel.core.sides import Named, Side
from tests.support.exchanges import FLOOR, exchange
from tests.support.wallets import SCALES, account, book, group, payment

R = Refusal
WALLETS = (
    account(1, "100.00"),
    account(2, "0.000", "KWD", ceiling="50"),
    account(3, "0", "JPY"),
    account(4, "5.00"),
    account(5, "7.000", "KWD", ledger_id=2),
)
DOLLARS, DINARS = account(91, "3.00", floor="-9", name="exchange:USD"), account(92, "40.000", "KWD", floor="-9")
NEW, OLD = book(*WALLETS), book(*WALLETS, DOLLARS, replace(DINARS, name="exchange:KWD"))


def made(outcome: Outcome) -> tuple[list[Opened], list[Posted]]:
    assert isinstance(outcome, Grouped), outcome
    opened = [one for one in outcome.outcomes if isinstance(one, Opened)]
    posted = [one for one in outcome.outcomes if isinstance(one, Posted)]
    assert [*opened, *posted] == outcome.outcomes
    return opened, posted


def stands(side: Side | Named | None) -> tuple[int, str]:
    assert isinstance(side, Side)
    return side.account_id, str(side.balance)


def refusal(start: Book, command: object) -> tuple[Refusal, dict[str, object]]:
    (outcome,) = decide(start, [command])  # type: ignore[list-item]  # an exchange
    assert isinstance(outcome, Declined), outcome
    assert after(start, [outcome]) == start
    return outcome.refusal, {**outcome.facts}


def test_it_is_two_transfers_through_the_exchange_accounts() -> None:
    (outcome,) = decide(OLD, [replace(exchange(1, 2, "10", "3"), reference="trip")])
    opened, (first, second) = made(outcome)
    assert not opened
    assert [(str(one.amount), one.currency, one.kind) for one in (first, second)] == [
        ("10.00", "USD", Kind.TRANSFER),
        ("3.000", "KWD", Kind.TRANSFER),
    ]
    assert [*map(stands, (first.source, first.target, second.source, second.target))] == [
        *((1, "90.00"), (91, "13.00"), (92, "37.000"), (2, "3.000"))
    ]
    assert [one.reference for one in (first, second)] == ["trip", "trip"]


def test_what_is_not_there_is_opened_first_and_then_used_by_all() -> None:
    commands = [exchange(1, 2, "10", "3"), exchange(1, 3, "10", "1000")]
    one, two = decide(NEW, commands)
    opened, (first, second) = made(one)
    assert [(new.account.id, new.account.name, new.account.currency) for new in opened] == [
        (91, "exchange:USD", "USD"),
        (92, "exchange:KWD", "KWD"),
    ]
    for new in opened:
        assert (new.account.email, new.account.max_balance, new.account.status) == (EMAIL, None, Status.OPEN)
        assert new.account.min_balance == FLOOR
    assert [new.account.name for new in made(two)[0]] == ["exchange:JPY"]
    ahead = after(NEW, [one, two]).state.accounts
    assert [str(ahead[id_].balance) for id_ in (1, 91, 92, 93, 2, 3)] == [
        *("80.00", "20.00", "-3.000", "-1000", "3.000", "1000")
    ]
    assert [one.version for one in (first.target, second.source) if one is not None] == [1, 1]


@pytest.mark.parametrize(
    ("command", "expected", "facts"),
    [
        (exchange(1, 1, "1", "1"), R.SAME_ACCOUNT, {"account_id": 1}),
        (exchange(91, 2, "1", "1"), R.SAME_ACCOUNT, {"account_id": 91, "name": "exchange:USD"}),
        (exchange(1, 92, "1", "1"), R.SAME_ACCOUNT, {"account_id": 92, "name": "exchange:KWD"}),
        (exchange(404, 2, "1", "1"), R.ACCOUNT_NOT_FOUND, {"account_id": 404, "field": "source_account_id"}),
        (exchange(1, 5, "1", "1"), R.ACCOUNT_NOT_FOUND, {"account_id": 5, "field": "target_account_id"}),
        (exchange(1, 2, "1", "1", accounts=()), R.ACCOUNT_NOT_FOUND, {"account_id": 1, "field": "source_account_id"}),
        (exchange(1, 4, "1", "1"), R.SAME_CURRENCY, {"currency": "USD"}),
        (
            exchange(1, 2, "0.005", "1"),
            R.AMOUNT_OUT_OF_RANGE,
            {"currency": "USD", "scale": 2, "amount": "0.00", "field": "source_amount"},
        ),
        (
            exchange(1, 2, "1", "0.0005"),
            R.AMOUNT_OUT_OF_RANGE,
            {"currency": "KWD", "scale": 3, "amount": "0.000", "field": "target_amount"},
        ),
        (
            exchange(1, 2, "1", rate="0.0005"),
            R.AMOUNT_OUT_OF_RANGE,
            {"currency": "KWD", "scale": 3, "amount": "0.000", "field": "rate"},
        ),
        (
            exchange(1, 2, "100", rate="10000000000000000"),
            R.AMOUNT_OUT_OF_RANGE,
            {"currency": "KWD", "scale": 3, "amount": "1000000000000000000.000", "field": "rate"},
        ),
        (
            exchange(1, 2, "100.01", "1"),
            R.INSUFFICIENT_FUNDS,
            {"account_id": 1, "currency": "USD", "available": "100.00", "required": "100.01"},
        ),
        (
            exchange(1, 2, "1", "49.001"),
            R.INSUFFICIENT_FUNDS,
            {"account_id": 92, "name": "exchange:KWD", "currency": "KWD", "available": "49.000", "required": "49.001"},
        ),
    ],
)
def test_a_refusal_says_which_account_or_which_field(
    command: object, expected: Refusal, facts: dict[str, object]
) -> None:
    assert refusal(OLD, command) == (expected, facts)


def test_what_is_not_opened_after_all_has_a_name_and_no_id() -> None:
    strict = replace(exchange(1, 2, "10", "3"), default_min_balance=Decimal(0))
    facts = {"name": "exchange:KWD", "currency": "KWD", "available": "0.000", "required": "3.000"}
    assert refusal(NEW, strict) == (R.INSUFFICIENT_FUNDS, facts)


def test_an_account_with_the_name_in_another_currency_is_not_used() -> None:
    taken = book(*WALLETS, account(91, "0", "JPY", name="exchange:USD"), DINARS)
    assert refusal(taken, exchange(1, 2, "1", "1")) == (
        R.NAME_TAKEN,
        {"account_id": 91, "name": "exchange:USD", "field": "currency"},
    )


def test_a_key_keeps_the_answer_and_knows_another_request() -> None:
    first = exchange(1, 2, "10", rate="0.3070", key="k")
    one, again, other, longer = decide(
        NEW, [first, first, replace(first, rate=Decimal("0.308")), replace(first, rate=Decimal("0.307"))]
    )
    assert again == Replayed(one)  # type: ignore[arg-type]  # a group
    assert longer == again, "0.307 is the same number"
    assert isinstance(other, Declined)
    assert (other.refusal, other.facts) == (R.IDEMPOTENCY_KEY_REUSED, {"field": "rate"})
    assert isinstance(decide(NEW, [first, payment(1, "1", key="k")])[1], Declined)


exactly = settings(max_examples=2000, deadline=None, derandomize=True)


@exactly
@given(
    st.decimals("0.01", "99.99", places=2),
    st.decimals("0.0000001", "9999", places=7) | st.decimals("0.5", "1.5", places=3),
    st.sampled_from([(2, "KWD"), (3, "JPY")]),
)
def test_the_amount_at_a_rate_is_that_of_fractions_rounded_half_to_even(
    amount: Decimal, rate: Decimal, to: tuple[int, str]
) -> None:
    account_id, currency = to
    unit = Fraction(1, 10 ** SCALES[currency])
    expected = round(Fraction(amount) * Fraction(rate) / unit) * unit  # Python rounds fractions half to even
    wide = book(*WALLETS[:1], account(account_id, "0", currency, ceiling=None))
    (outcome,) = decide(wide, [replace(exchange(1, account_id, str(amount), rate=str(rate)), default_min_balance=-BIG)])
    if expected == 0:
        assert isinstance(outcome, Declined)
        assert outcome.refusal is R.AMOUNT_OUT_OF_RANGE
    else:
        assert Fraction(made(outcome)[1][1].amount) == expected


BIG = Decimal(10**17)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"source_amount": Decimal(2)}, "source_amount"),
        ({"rate": None, "target_amount": Decimal(2)}, "target_amount"),
        ({"rate": Decimal(2)}, "rate"),
        ({"source_account_id": 2}, "source_account_id"),
        ({"target_account_id": 0, "target": "bob"}, "target"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"reference": "trip"}, "reference"),
        ({"key": "other"}, "idempotency_key"),
    ],
)
@pytest.mark.parametrize("source", [1, 404], ids=["exchanged", "refused"])
def test_of_an_exchange_in_a_group_the_term_that_differs_is_named(
    source: int, changed: dict[str, object], field: str
) -> None:
    exchanged = exchange(source, 3, "1", rate="150")
    first = group(payment(1, "1"), exchanged, key="k", atomic=False)
    again = replace(first, members=(first.members[0], replace(exchanged, **changed)))
    settled = after(OLD, decide(OLD, [first]))
    assert refusal(settled, again) == (R.IDEMPOTENCY_KEY_REUSED, {"field": f"transactions/1/{field}"})
    of_another_kind = replace(first, members=(first.members[0], payment(1, "1")))
    assert refusal(settled, of_another_kind) == (R.IDEMPOTENCY_KEY_REUSED, {"field": "transactions/1/exchange"})
