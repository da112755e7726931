"""Enqueue: what can be said of a transaction that is decided later."""

import pytest
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import Capture, Command, Kind, Request, Status
from koshel.core.decide import decide
from koshel.core.model import Declined, Queued, Refusal, Replayed
from koshel.core.money import plain
from tests.support.wallets import (
    NOW,
    account,
    book,
    capture,
    enqueue,
    execute,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
    withdrawal,
)

MISSING = 404
PAID, HELD, OUTGOING, LEFT, FOREIGN = range(101, 106)
BOOK = kept(
    book(
        account(1, "100.00"),
        account(2, "5.00"),
        account(3, "0.00", status=Status.CLOSED),
        account(4, "1000", "JPY"),
        account(5, "50.00", ledger_id=2),
    ),
    payment(1, "20"),
    hold(1, 2, "40"),
    hold(4, None, "7"),
    withdrawal(1, "1"),
    hold(5, None, "1", ledger_id=2),
)


def queued(request: Request) -> Queued:
    (outcome,) = decide(BOOK, [enqueue(request)])
    assert isinstance(outcome, Queued), outcome
    return outcome


AccountIdPair = tuple[int | None, int | None]
# What is to be done; its kind; its sides; its amount and currency, as far as they are known; what it refers to.
ENQUEUED: list[tuple[Request, Kind, AccountIdPair, str | None, str | None, int | None]] = [
    (payment(1, "1.005"), Kind.PAYMENT, (None, 1), "1.00", "USD", None),
    (withdrawal(4, "1.5"), Kind.WITHDRAWAL, (4, None), "2", "JPY", None),
    (transfer(1, 2, "1e1"), Kind.TRANSFER, (1, 2), "10.00", "USD", None),
    (hold(1, None, "1"), Kind.HOLD, (1, None), "1.00", "USD", None),
    (hold(4, 1, "1"), Kind.HOLD, (4, 1), "1", "JPY", None),
    (capture(HELD, "1.015"), Kind.CAPTURE, (1, 2), "1.02", "USD", HELD),
    (capture(HELD), Kind.CAPTURE, (1, 2), None, "USD", HELD),
    (capture(OUTGOING, "1"), Kind.CAPTURE, (4, None), "1", "JPY", OUTGOING),
    (void(HELD), Kind.VOID, (1, 2), None, "USD", HELD),
    (refund(PAID), Kind.REFUND, (1, None), None, "USD", PAID),
    (refund(LEFT, "0.5"), Kind.REFUND, (None, 1), "0.50", "USD", LEFT),
    # What cannot succeed is enqueued too; it is refused when it is executed.
    (withdrawal(1, "9000"), Kind.WITHDRAWAL, (1, None), "9000.00", "USD", None),
    (payment(3, "1"), Kind.PAYMENT, (None, 3), "1.00", "USD", None),
    (transfer(MISSING, 4, "0.5"), Kind.TRANSFER, (MISSING, 4), "0", "JPY", None),
    (transfer(MISSING, MISSING, "0.5"), Kind.TRANSFER, (MISSING, MISSING), "0.5", None, None),
    (payment(5, "1.005"), Kind.PAYMENT, (None, 5), "1.005", None, None),  # another ledger's
    (capture(MISSING, "1.005"), Kind.CAPTURE, (None, None), "1.005", None, MISSING),
    (void(MISSING), Kind.VOID, (None, None), None, None, MISSING),
    (refund(MISSING), Kind.REFUND, (None, None), None, None, MISSING),
    (void(FOREIGN), Kind.VOID, (None, None), None, None, FOREIGN),
    (refund(FOREIGN, "1.005"), Kind.REFUND, (None, None), "1.005", None, FOREIGN),
    (capture(PAID, "1"), Kind.CAPTURE, (None, 1), "1.00", "USD", PAID),  # not a hold
]


@pytest.mark.parametrize(("request_", "kind", "sides", "amount", "currency", "parent_id"), ENQUEUED)
def test_a_queued_transaction_says_what_is_known_already(
    request_: Request, kind: Kind, sides: AccountIdPair, amount: str | None, currency: str | None, parent_id: int | None
) -> None:
    outcome = queued(request_)
    assert (outcome.kind, outcome.parent_id, outcome.currency) == (kind, parent_id, currency)
    assert (outcome.source_account_id, outcome.target_account_id) == sides
    assert (None if outcome.amount is None else plain(outcome.amount)) == amount
    assert (outcome.id, outcome.ctime, outcome.command) == (0, NOW, enqueue(request_))


@pytest.mark.parametrize("request_", [request for request, *_ in ENQUEUED])
def test_a_queued_transaction_touches_nothing_but_its_key(request_: Request) -> None:
    assert after(BOOK, [queued(request_)]) == BOOK
    outcome = queued(replace(request_, key="k"))
    assert after(BOOK, [outcome]).state == replace(BOOK.state, receipts={(1, "k"): outcome})


# What was asked first; what is asked then with the same key; the field that differs.
REPEATED: list[tuple[Command, Command, str | None]] = [
    (enqueue(payment(1, "1", key="k")), enqueue(payment(1, "1.00", key="k")), None),
    (enqueue(payment(1, "1", key="k")), payment(1, "1", key="k"), None),  # sooner or later is no difference
    (payment(1, "1", key="k"), enqueue(payment(1, "1", key="k")), None),
    (withdrawal(1, "9000", key="k"), enqueue(withdrawal(1, "9000", key="k")), None),  # it was refused then
    (enqueue(void(HELD, key="k")), void(HELD, key="k"), None),
    (refund(PAID, key="k"), enqueue(refund(PAID, key="k")), None),
    (enqueue(payment(1, "1", key="k")), enqueue(payment(1, "2", key="k")), "amount"),
    (enqueue(payment(1, "1.005", key="k")), payment(1, "1", key="k"), "amount"),  # never posted, so never rounded
    (enqueue(capture(HELD, key="k")), capture(HELD, "40", key="k"), "amount"),
    (enqueue(capture(HELD, key="k")), enqueue(void(HELD, key="k")), "kind"),
    (enqueue(payment(1, "1", key="k")), group(payment(1, "1"), key="k"), "kind"),
]


@pytest.mark.parametrize(("first", "again", "field"), REPEATED)
def test_a_key_answers_with_what_it_queued_and_enqueue_with_its_keys_answer(
    first: Command, again: Command, field: str | None
) -> None:
    answer, repeated = decide(BOOK, [first, again])
    if field is None:
        assert isinstance(repeated, Replayed)
        assert repeated.first is answer
    else:
        assert repeated == Declined(again, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})


def test_a_queued_transaction_is_the_answer_even_after_it_was_posted_or_declined() -> None:
    kept_, broken = payment(1, "1", key="kept"), payment(3, "1", key="broken")
    commands: list[Command] = [
        enqueue(kept_),
        enqueue(broken),
        execute(201, kept_),
        execute(202, broken),
        kept_,
        enqueue(broken),
    ]
    first, second, _, _, *again = decide(BOOK, commands)
    assert isinstance(first, Queued)
    assert isinstance(second, Queued)
    assert again == [Replayed(first), Replayed(second)]


def test_a_queued_transaction_is_of_the_command_as_it_was_sent() -> None:
    request: Capture = replace(capture(HELD, "1.005", final=False, key="k"), metadata={"order": "1"})
    assert queued(request).command.command is request
    assert queued(request).command.key == "k"
