"""A refusal says why, with the facts that its caller needs; money among them is text."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import ChangeAccount, Command, EnsureAccount, Kind, OpenAccount, Status
from koshel.core.decide import decide
from koshel.core.labelled import METADATA_MAX
from koshel.core.legs import SplitSource, SplitTarget
from koshel.core.model import Declined, Refusal
from koshel.core.notes import Annotate
from koshel.core.originals import Pending
from tests.support.exchanges import exchange
from tests.support.looks import at
from tests.support.split_legs import split, to
from tests.support.wallets import (
    NOW,
    SCHEDULE_MAX,
    account,
    book,
    by_names,
    capture,
    enqueue,
    expire,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
)

R = Refusal
EIGHTEEN_NINES = "999999999999999999"
Facts = dict[str, str | int]

WALLETS = (
    account(1, "100.00", version=4, revision=2),
    account(2, "5.00", version=9),
    account(3, "0.00", "KWD"),
    account(4, "1000", "JPY", version=1),
    account(5, "50.00", ledger_id=2),
    account(7, "99.99", ceiling="100.00"),
    account(8, "0.00", status=Status.CLOSED),
    account(9, "5.00", status=Status.FROZEN),
    account(11, "0.000000000000000001", "WEI"),
    account(12, f"{EIGHTEEN_NINES}.99", ceiling=None),
    account(14, "0.00"),
    account(15, "0.00", name="users:15"),
    replace(account(13, "5", "JPY"), currency="USD"),  # opened when a dollar had no cents
)
JPY: Facts = {"currency": "JPY", "scale": 0}
PAID, HELD, CAPTURED, EXPIRED, BRIEF = 101, 102, 103, 104, 105
LATEST = NOW + timedelta(minutes=1, seconds=SCHEDULE_MAX)  # that may be asked for
EXPIRY = "2026-11-22T10:36:00.000000Z"
_EARLIER = kept(
    book(*WALLETS),
    payment(1, "1", key="used"),
    hold(1, 14, "40"),
    capture(102, "2.5", final=False),
    hold(1, 2, "6", seconds=60),
    hold(1, None, "7", seconds=60),
    refund(PAID, "0.25"),
)
BOOK = at(NOW + timedelta(seconds=60), _EARLIER)
BOOK = after(BOOK, decide(BOOK, [expire(EXPIRED)]))
BOOK.state.pending = {201: Pending(1, Kind.TRANSFER, "queued"), 202: Pending(1, Kind.HOLD, "declined")}

FACTS: list[tuple[Command, Refusal, Facts]] = [
    (payment(1, "2", key="used"), R.IDEMPOTENCY_KEY_REUSED, {"field": "amount"}),
    (OpenAccount(1, "a@example.com", "GOLD"), R.UNKNOWN_CURRENCY, {"currency": "GOLD"}),
    (
        OpenAccount(1, "a@example.com", default_currency="SEASHELL"),
        R.UNKNOWN_CURRENCY,
        {"currency": "SEASHELL"},
    ),
    (
        OpenAccount(1, "a@example.com", name="users:15", id=15),
        R.NAME_TAKEN,
        {"account_id": 15, "name": "users:15", "field": "name"},
    ),
    (
        EnsureAccount(1, "users:15", "15@example.com", currency="JPY", id=15),
        R.NAME_TAKEN,
        {"account_id": 15, "name": "users:15", "field": "currency"},
    ),
    (transfer(2, 2, "1"), R.SAME_ACCOUNT, {"account_id": 2}),
    (by_names(transfer(15, 15, "1")), R.SAME_ACCOUNT, {"account_id": 15, "name": "users:15"}),
    (by_names(transfer(0, 0, "1"), "nobody", "nobody"), R.SAME_ACCOUNT, {"name": "nobody"}),
    (by_names(transfer(55, 55, "1"), "lent", "lent"), R.SAME_ACCOUNT, {"name": "lent"}),
    (by_names(transfer(55, 0, "1"), "lent", "nobody"), R.ACCOUNT_NOT_FOUND, {"name": "lent", "field": "source"}),
    (by_names(hold(1, 55, "1"), None, "lent"), R.ACCOUNT_NOT_FOUND, {"name": "lent", "field": "target"}),
    (ChangeAccount(1, 55, account="lent"), R.ACCOUNT_NOT_FOUND, {"name": "lent", "field": "account"}),
    (by_names(exchange(55, 55, "1", "1"), "lent", "lent"), R.SAME_ACCOUNT, {"name": "lent"}),
    (
        replace(split("1", source=55, targets=[to(1, "1")]), source="lent"),
        R.ACCOUNT_NOT_FOUND,
        {"name": "lent", "field": "source"},
    ),
    (
        split("1", source=1, targets=[replace(to(55, "1"), target="lent")]),
        R.ACCOUNT_NOT_FOUND,
        {"name": "lent", "field": "targets/0/target"},
    ),
    (
        replace(split("1", source=55, targets=[replace(to(55, "1"), target="lent")]), source="lent"),
        R.SAME_ACCOUNT,
        {"name": "lent"},
    ),
    (by_names(transfer(0, 0, "1"), "nobody", "no one"), R.ACCOUNT_NOT_FOUND, {"name": "nobody", "field": "source"}),
    (by_names(transfer(1, 0, "1"), None, "nobody"), R.ACCOUNT_NOT_FOUND, {"name": "nobody", "field": "target"}),
    (by_names(payment(0, "1"), None, "nobody"), R.ACCOUNT_NOT_FOUND, {"name": "nobody", "field": "target"}),
    (ChangeAccount(1, 0, account="nobody"), R.ACCOUNT_NOT_FOUND, {"name": "nobody", "field": "account"}),
    (capture(404), R.TRANSACTION_NOT_FOUND, {"transaction_id": 404}),
    (void(404), R.TRANSACTION_NOT_FOUND, {"transaction_id": 404}),
    (expire(404), R.TRANSACTION_NOT_FOUND, {"transaction_id": 404}),
    (refund(404), R.TRANSACTION_NOT_FOUND, {"transaction_id": 404}),
    (capture(PAID), R.NOT_A_HOLD, {"transaction_id": PAID, "kind": "payment"}),
    (void(CAPTURED), R.NOT_A_HOLD, {"transaction_id": CAPTURED, "kind": "capture"}),
    (Annotate(1, 404), R.TRANSACTION_NOT_FOUND, {"transaction_id": 404}),
    (Annotate(1, 201), R.NOT_POSTED, {"transaction_id": 201, "status": "queued"}),
    (refund(HELD), R.NOT_REFUNDABLE, {"transaction_id": HELD, "kind": "hold"}),
    (refund(201), R.NOT_REFUNDABLE, {"transaction_id": 201, "kind": "transfer", "status": "queued"}),
    (capture(201), R.NOT_A_HOLD, {"transaction_id": 201, "kind": "transfer"}),
    (hold(2, 2, "1"), R.SAME_ACCOUNT, {"account_id": 2}),
    (hold(1, 404, "1"), R.ACCOUNT_NOT_FOUND, {"account_id": 404, "field": "target_account_id"}),
    (ChangeAccount(1, 404), R.ACCOUNT_NOT_FOUND, {"account_id": 404, "field": "account_id"}),
    (exchange(1, 2, "1", "1", accounts=(("USD", 14),)), R.SAME_CURRENCY, {"currency": "USD"}),
    (hold(1, 3, "1"), R.CURRENCY_MISMATCH, {"source_currency": "USD", "target_currency": "KWD"}),
    (hold(4, None, "0.5"), R.AMOUNT_OUT_OF_RANGE, JPY | {"amount": "0"}),
    (capture(HELD, "0.005"), R.AMOUNT_OUT_OF_RANGE, {"currency": "USD", "scale": 2, "amount": "0.00"}),
    (refund(PAID, "0.005"), R.AMOUNT_OUT_OF_RANGE, {"currency": "USD", "scale": 2, "amount": "0.00"}),
    (expire(HELD), R.HOLD_NOT_OPEN, {"transaction_id": HELD, "status": "held"}),
    (void(202), R.HOLD_NOT_OPEN, {"transaction_id": 202, "status": "declined"}),
    (capture(EXPIRED), R.HOLD_EXPIRED, {"transaction_id": EXPIRED, "expires_at": EXPIRY}),
    (void(BRIEF), R.HOLD_EXPIRED, {"transaction_id": BRIEF, "expires_at": EXPIRY}),
    (
        ChangeAccount(1, 1, expected=((0, 2), (9, 9))),
        R.VERSION_MISMATCH,
        {"account_id": 1, "version": 11, "revision": 2},
    ),
    (transfer(1, 8, "1"), R.ACCOUNT_CLOSED, {"account_id": 8}),
    (transfer(9, 8, "1"), R.ACCOUNT_CLOSED, {"account_id": 8}),
    (transfer(8, 9, "1"), R.ACCOUNT_CLOSED, {"account_id": 8}),
    (ChangeAccount(1, 8), R.ACCOUNT_CLOSED, {"account_id": 8}),
    (transfer(1, 9, "1"), R.ACCOUNT_FROZEN, {"account_id": 9}),
    (hold(9, 1, "1"), R.ACCOUNT_FROZEN, {"account_id": 9}),
    (
        ChangeAccount(1, 1, status=Status.CLOSED),
        R.ACCOUNT_NOT_EMPTY,
        {"account_id": 1, "currency": "USD", "balance": "98.25", "held": "44.50"},
    ),
    (
        ChangeAccount(1, 1, metadata_patch={str(number): "" for number in range(METADATA_MAX)}),
        R.METADATA_TOO_LARGE,
        {"account_id": 1, "entries": METADATA_MAX + 1},
    ),
    (
        enqueue(transfer(404, 2, "1"), LATEST + timedelta(microseconds=1)),
        R.TIME_OUT_OF_RANGE,
        {"field": "execute_at", "time": "2026-12-02T10:36:00.000001Z", "latest": "2026-12-02T10:36:00.000000Z"},
    ),
    (
        ChangeAccount(1, 1, unexpected=((0, 2), (11, 2))),
        R.VERSION_MISMATCH,
        {"account_id": 1, "version": 11, "revision": 2},
    ),
    (
        capture(HELD, "37.505000001"),
        R.CAPTURE_EXCEEDS_HOLD,
        {"transaction_id": HELD, "currency": "USD", "held": "37.50", "required": "37.51"},
    ),
    (
        refund(PAID, "0.755000001"),
        R.REFUND_EXCEEDS_ORIGINAL,
        {"transaction_id": PAID, "currency": "USD", "amount": "1.00", "refunded": "0.25", "required": "0.76"},
    ),
    (
        hold(1, 2, "53.76"),
        R.INSUFFICIENT_FUNDS,
        {"account_id": 1, "currency": "USD", "available": "53.75", "required": "53.76"},
    ),
    (
        ChangeAccount(1, 1, min_balance=Decimal("53.76")),
        R.INSUFFICIENT_FUNDS,
        {"account_id": 1, "currency": "USD", "balance": "98.25", "held": "44.50", "min_balance": "53.76"},
    ),
    (
        ChangeAccount(1, 1, max_balance=Decimal("98.24")),
        R.BALANCE_LIMIT_EXCEEDED,
        {"account_id": 1, "currency": "USD", "balance": "98.25", "max_balance": "98.24"},
    ),
    (
        split("1", source=1, targets=[SplitTarget(2, amount=Decimal("0.335")) for _ in range(3)]),
        R.SPLIT_NOT_EXACT,
        {"currency": "USD", "scale": 2, "amount": "1.00"},
    ),
    (
        split("1", source=1, targets=[SplitTarget(2, remaining=True), SplitTarget(9, amount=Decimal("0.004"))]),
        R.AMOUNT_OUT_OF_RANGE,
        {"currency": "USD", "scale": 2, "amount": "0.00", "field": "targets/1/amount"},
    ),
    (
        split("120", target=14, sources=[SplitSource(1, max=Decimal(20)), SplitSource(2)]),
        R.INSUFFICIENT_FUNDS,
        {"currency": "USD", "available": "25.00", "required": "120.00", "missing": "95.00"},
    ),
    (
        split("12", target=14, sources=[SplitSource(1), SplitSource(2, share="50%")]),
        R.INSUFFICIENT_FUNDS,
        {"account_id": 2, "currency": "USD", "available": "5.00", "required": "6.00"},
    ),
    (
        split("3", source=1, targets=[SplitTarget(2, share="1/2"), SplitTarget(404, share="1/2")]),
        R.ACCOUNT_NOT_FOUND,
        {"account_id": 404, "field": "targets/1/target_account_id"},
    ),
    (group(transfer(1, 2, "1"), payment(404, "1")), R.BATCH_REFUSED, {"index": 1}),
]


@pytest.mark.parametrize(("command", "refusal", "facts"), FACTS)
def test_a_refusal_says_why(command: Command, refusal: Refusal, facts: Facts) -> None:
    (outcome,) = decide(BOOK, [command])
    assert isinstance(outcome, Declined)
    assert (outcome.command, outcome.refusal, outcome.facts) == (command, refusal, facts)


def test_only_a_batch_has_another_refusal_for_its_cause() -> None:
    for command, refusal, _ in FACTS:
        (outcome,) = decide(BOOK, [command])
        assert isinstance(outcome, Declined)
        assert (outcome.cause is not None) is (refusal is R.BATCH_REFUSED)


def test_the_facts_are_text_and_numbers_so_that_they_can_be_kept() -> None:
    for command, _, facts in FACTS:
        (outcome,) = decide(BOOK, [command])
        assert isinstance(outcome, Declined)
        assert msgspec.json.decode(msgspec.json.encode(outcome.facts)) == facts


def test_every_refusal_has_its_facts_in_the_table() -> None:
    assert {refusal for _, refusal, _ in FACTS} == set(Refusal) - {R.LIMIT_EXCEEDED}, "test_limits has those"
