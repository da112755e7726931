"""An account that an atomic batch opens is not there if the batch is refused: nobody is told its id."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.core.commands import EnsureAccount, Member
from koshel.core.decide import decide
from koshel.core.model import Declined, Grouped, Refusal
from tests.support.exchanges import exchange
from tests.support.limited import limit
from tests.support.wallets import account, book, by_names, group, payment, transfer, withdrawal

R = Refusal
NEW = 77  # the id that it is lent
NAMED = {"name": "users:new"}
BOOK = book(account(1, "100.00", name="users:1"), account(4, "0", "JPY"), account(5, "0.00", name="exchange:USD"))
OPENING = EnsureAccount(
    1, "users:new", "a@example.com", "USD", max_balance=Decimal(9), limits=(limit("1d", "2"),), id=NEW
)

# A member that is refused after the account was opened, and why.
REFUSED: list[tuple[Member, Refusal]] = [
    (replace(OPENING, email="b@example.com"), R.NAME_TAKEN),
    (by_names(transfer(NEW, NEW, "1"), "users:new", "users:new"), R.SAME_ACCOUNT),
    (withdrawal(NEW, "1000"), R.INSUFFICIENT_FUNDS),
    (payment(NEW, "10"), R.BALANCE_LIMIT_EXCEEDED),
    (withdrawal(NEW, "3"), R.LIMIT_EXCEEDED),
    (exchange(NEW, 4, "1000", "1", accounts=(("JPY", 78), ("USD", 5))), R.INSUFFICIENT_FUNDS),
]


@pytest.mark.parametrize(("member", "refusal"), REFUSED)
def test_a_refused_batch_names_the_account_and_tells_no_id(member: Member, refusal: Refusal) -> None:
    members: list[Member] = [OPENING, payment(NEW, "4"), member]
    (whole,) = decide(BOOK, [group(*members)])
    (each,) = decide(BOOK, [group(*members, atomic=False)])
    assert isinstance(whole, Declined)
    assert isinstance(each, Grouped)
    *_, alone = each.outcomes
    assert isinstance(alone, Declined)
    assert whole.cause is not None
    assert (whole.refusal, whole.cause.refusal, alone.refusal) == (R.BATCH_REFUSED, refusal, refusal)
    assert alone.facts.items() >= ({"account_id": NEW} | NAMED).items(), "there it is"
    assert whole.cause.facts == {name: fact for name, fact in alone.facts.items() if name != "account_id"}


def test_an_exchange_account_that_the_batch_opens_is_not_told_either() -> None:
    opening = exchange(1, 4, "1", "1", accounts=(("JPY", 78), ("USD", 5)))
    drawn: Any = by_names(withdrawal(78, "1000000"), "exchange:JPY", None)
    (outcome,) = decide(BOOK, [group(opening, drawn)])
    assert isinstance(outcome, Declined)
    assert outcome.cause is not None
    assert outcome.cause.facts.get("account_id") is None
    assert outcome.cause.facts["name"] == "exchange:JPY"


def test_an_account_that_is_there_is_told() -> None:
    (outcome,) = decide(BOOK, [group(OPENING, withdrawal(1, "1000"))])
    assert isinstance(outcome, Declined)
    assert outcome.cause is not None
    assert outcome.cause.facts["account_id"] == 1
