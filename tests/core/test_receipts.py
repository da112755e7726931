"""The same key gives the same answer for ever; with another request it is refused."""

from decimal import Decimal

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.decide import decide
from koshel.core.model import Book, Command, Declined, Kind, OpenAccount, Posted, Refusal, Replayed
from koshel.core.receipts import replay
from tests.support.wallets import account, book, payment, transfer, withdrawal

START = book(account(1, "100.00"), account(2, "0.00"), account(3, "0.00"), account(4, "0", "JPY"))
MOVED = transfer(1, 2, "12.345", key="k", metadata={"order": "1"})  # 12.34 on the books
BROKE = withdrawal(2, "12.345", key="k", metadata={"order": "1"})
OPENED = OpenAccount(1, "a@example.com", "USD", Decimal(-5), Decimal(10), {"vip": "yes"}, "k")
UNKNOWN = OpenAccount(1, "a@example.com", "GOLD", key="k")
PLAIN = OpenAccount(1, "a@example.com", key="k", default_max_balance=Decimal(10))


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
    (OPENED, OPENED),
    (OPENED, replace(OPENED, min_balance=Decimal("-5.00"))),
    (UNKNOWN, UNKNOWN),
    (PLAIN, replace(PLAIN, default_max_balance=Decimal(20))),  # the setting is ours, not the caller's
    (PLAIN, replace(PLAIN, default_currency="EUR")),
]


@pytest.mark.parametrize(("first", "again"), REPEATED)
def test_the_same_request_gets_the_first_answer(first: Command, again: Command) -> None:
    (answer,) = decide(START, [first])
    assert replay(settled(first), again) == Replayed(answer)  # type: ignore[arg-type]  # a first answer is none


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
    ("first", "again"), [(MOVED, OPENED), (BROKE, OPENED), (OPENED, MOVED), (UNKNOWN, MOVED), (PLAIN, BROKE)]
)
def test_a_request_of_another_type_differs_in_kind(first: Command, again: Command) -> None:
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
