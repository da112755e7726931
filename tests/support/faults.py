"""For each command the refusals that it can meet, in their order, and for each of them a fault that leads to it.

A fault is something that is done to the scene before the command, which is not refused without one. Where two faults
exclude each other, the one with precedence is done last and stands.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from koshel.core.commands import ChangeAccount, Command, EnsureAccount, Execute, Kind, OpenAccount, Status
from koshel.core.labelled import METADATA_MAX
from koshel.core.legs import SplitTarget
from koshel.core.model import Book, Refusal
from koshel.core.notes import Annotate
from koshel.core.originals import Pending
from tests.support.exchanges import exchange
from tests.support.limited import limited
from tests.support.looks import at
from tests.support.split_legs import end, split
from tests.support.wallets import (
    DAY,
    NOW,
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
)

R = Refusal
PAID, HELD, MOVED, FOREIGN = 101, 102, 103, 104  # transactions
EXCHANGE = (("KWD", 6), ("USD", 5))  # exchange accounts
BOOK = kept(
    book(
        account(1, "100.00", floor="-50.00"),
        account(2, "100.00"),
        account(3, "0.00", "KWD", ledger_id=2),
        account(4, "0.00", "KWD"),
        *(account(id_, "0.00", currency, floor="-100", name=f"exchange:{currency}") for currency, id_ in EXCHANGE),
    ),
    payment(1, "10", key="used"),
    hold(1, 2, "40"),
    transfer(1, 2, "10"),
    payment(3, "1", ledger_id=2),
)


class Scene(Struct):
    """A command and the book that it finds."""

    book: Book
    command: Command

    def alter(self, account_id: int, **fields: object) -> None:
        old = self.book.state.accounts[account_id]
        self.book.state.accounts[account_id] = replace(old, **fields)

    def ask(self, **fields: object) -> None:
        """Change what is asked; of what was queued, what is asked by that."""
        if isinstance(self.command, Execute):
            self.command = replace(self.command, command=replace(self.command.command, **fields))
        else:
            self.command = replace(self.command, **fields)


Fault: TypeAlias = Callable[[Scene], None]


def asked(**fields: object) -> Fault:
    return lambda scene: scene.ask(**fields)


def altered(account_id: int, **fields: object) -> Fault:
    return lambda scene: scene.alter(account_id, **fields)


def exchanging(**fields: object) -> Fault:
    """Both exchange accounts are otherwise."""

    def alter(scene: Scene) -> None:
        for _, id_ in EXCHANGE:
            scene.alter(id_, **fields)

    return alter


def reserving(reserved: Decimal | Kind) -> Fault:
    return lambda scene: scene.book.state.holds.update({HELD: reserved})


def same_account(scene: Scene) -> None:
    command = scene.command.command if isinstance(scene.command, Execute) else scene.command
    scene.ask(target_account_id=command.source_account_id)  # type: ignore[union-attr]  # where this is done, it has one


def over(scene: Scene) -> None:
    scene.book = at(NOW + timedelta(seconds=DAY), scene.book)


def waiting(scene: Scene) -> None:
    scene.book.state.pending[PAID] = Pending(1, Kind.PAYMENT, "queued")


def refunded(scene: Scene) -> None:
    scene.book.state.refunded[MOVED] = Decimal("9.99")


REUSED = asked(key="used")
GOLD = asked(currency="GOLD")
NOTHING = asked(amount=Decimal("0.0001"))
FOREIGN_PARENT = asked(parent_id=FOREIGN)  # and no hold, too
CLOSED_1, CLOSED_2 = (altered(one, status=Status.CLOSED) for one in (1, 2))
FROZEN_1, FROZEN_2 = (altered(one, status=Status.FROZEN) for one in (1, 2))
POOR_1, POOR_2 = (altered(one, held=Decimal(9_999)) for one in (1, 2))
RICH_1, RICH_2 = (altered(one, max_balance=Decimal(1)) for one in (1, 2))

TWO_SIDES: dict[Refusal, Fault] = {
    R.IDEMPOTENCY_KEY_REUSED: REUSED,
    R.SAME_ACCOUNT: same_account,
    R.ACCOUNT_NOT_FOUND: asked(source_account_id=3),  # in another currency, too
    R.CURRENCY_MISMATCH: altered(2, currency="KWD", scale=3),
    R.AMOUNT_OUT_OF_RANGE: NOTHING,
    R.ACCOUNT_CLOSED: CLOSED_2,
    R.ACCOUNT_FROZEN: FROZEN_1,
    R.INSUFFICIENT_FUNDS: POOR_1,
}
TOO_LATE = asked(capture_at=NOW + timedelta(seconds=DAY))
OF_A_NEW_HOLD = TWO_SIDES | {R.LIMIT_EXCEEDED: limited, R.TIME_OUT_OF_RANGE: TOO_LATE}
OF_A_HOLD: dict[Refusal, Fault] = {
    R.TRANSACTION_NOT_FOUND: FOREIGN_PARENT,
    R.NOT_A_HOLD: asked(parent_id=PAID),
    R.HOLD_NOT_OPEN: reserving(Kind.VOID),
    R.HOLD_EXPIRED: over,
}
CASES: list[tuple[Command, Mapping[Refusal, Fault]]] = [
    (transfer(1, 2, "5"), TWO_SIDES | {R.BALANCE_LIMIT_EXCEEDED: RICH_2, R.LIMIT_EXCEEDED: limited}),
    (hold(1, 2, "5"), {one: OF_A_NEW_HOLD[one] for one in Refusal if one in OF_A_NEW_HOLD}),
    (
        capture(HELD, "5"),
        {
            R.IDEMPOTENCY_KEY_REUSED: REUSED,
            R.TRANSACTION_NOT_FOUND: FOREIGN_PARENT,
            R.NOT_A_HOLD: asked(parent_id=PAID),
            R.AMOUNT_OUT_OF_RANGE: NOTHING,
            R.HOLD_NOT_OPEN: reserving(Kind.VOID),
            R.HOLD_EXPIRED: over,
            R.ACCOUNT_CLOSED: CLOSED_2,
            R.ACCOUNT_FROZEN: FROZEN_1,
            R.CAPTURE_EXCEEDS_HOLD: reserving(Decimal("0.01")),
            R.BALANCE_LIMIT_EXCEEDED: RICH_2,
            R.LIMIT_EXCEEDED: limited,
        },
    ),
    (
        split("5", source=1, targets=[SplitTarget(2, amount=Decimal(2)), SplitTarget(2, amount=Decimal(3))]),
        {
            R.IDEMPOTENCY_KEY_REUSED: REUSED,
            R.SAME_ACCOUNT: asked(source_account_id=2),
            R.ACCOUNT_NOT_FOUND: asked(source_account_id=3),  # in another currency, too
            R.CURRENCY_MISMATCH: altered(2, currency="KWD", scale=3),
            R.AMOUNT_OUT_OF_RANGE: NOTHING,
            R.SPLIT_NOT_EXACT: asked(targets=(SplitTarget(2, amount=Decimal("5.01")),)),
            R.ACCOUNT_CLOSED: CLOSED_2,
            R.ACCOUNT_FROZEN: FROZEN_1,
            R.INSUFFICIENT_FUNDS: POOR_1,
            R.BALANCE_LIMIT_EXCEEDED: RICH_2,
            R.LIMIT_EXCEEDED: limited,
        },
    ),
    (void(HELD), {R.IDEMPOTENCY_KEY_REUSED: REUSED} | OF_A_HOLD),
    (
        refund(MOVED, "5"),
        {
            R.IDEMPOTENCY_KEY_REUSED: REUSED,
            R.TRANSACTION_NOT_FOUND: FOREIGN_PARENT,
            R.NOT_REFUNDABLE: asked(parent_id=HELD),
            R.AMOUNT_OUT_OF_RANGE: NOTHING,
            R.ACCOUNT_CLOSED: CLOSED_1,
            R.ACCOUNT_FROZEN: FROZEN_2,
            R.REFUND_EXCEEDS_ORIGINAL: refunded,
            R.INSUFFICIENT_FUNDS: POOR_2,
            R.BALANCE_LIMIT_EXCEEDED: RICH_1,
            R.LIMIT_EXCEEDED: limited,
        },
    ),
    (
        OpenAccount(1, "a@example.com"),
        {R.IDEMPOTENCY_KEY_REUSED: REUSED, R.UNKNOWN_CURRENCY: GOLD, R.NAME_TAKEN: asked(name="users:2", id=2)},
    ),
    (EnsureAccount(1, "users:2", "2@example.com"), {R.UNKNOWN_CURRENCY: GOLD, R.NAME_TAKEN: asked(id=1)}),
    (
        ChangeAccount(1, 1, email="b@example.com"),
        {
            R.IDEMPOTENCY_KEY_REUSED: REUSED,
            R.ACCOUNT_NOT_FOUND: asked(account_id=3),  # another ledger's
            R.VERSION_MISMATCH: asked(expected=((0, 0),)),
            R.ACCOUNT_CLOSED: CLOSED_1,
            R.ACCOUNT_NOT_EMPTY: asked(status=Status.CLOSED),
            R.METADATA_TOO_LARGE: asked(metadata={str(number): "" for number in range(METADATA_MAX + 1)}),
            R.INSUFFICIENT_FUNDS: POOR_1,
            R.BALANCE_LIMIT_EXCEEDED: asked(max_balance=Decimal(1)),
        },
    ),
    (
        Annotate(1, PAID),
        {
            R.IDEMPOTENCY_KEY_REUSED: REUSED,
            R.TRANSACTION_NOT_FOUND: asked(transaction_id=FOREIGN),
            R.NOT_POSTED: waiting,
            R.METADATA_TOO_LARGE: asked(metadata={str(number): "" for number in range(METADATA_MAX + 1)}),
        },
    ),
    (
        group(payment(1, "1")),
        {R.IDEMPOTENCY_KEY_REUSED: REUSED, R.BATCH_REFUSED: asked(members=(transfer(1, 1, "1"),))},
    ),
    (end("capture", HELD), {R.IDEMPOTENCY_KEY_REUSED: REUSED, R.BATCH_REFUSED: asked(holds=(HELD, PAID))}),
    (
        exchange(1, 4, "5", "2", accounts=EXCHANGE),
        {
            R.IDEMPOTENCY_KEY_REUSED: REUSED,
            R.NAME_TAKEN: exchanging(currency="JPY"),
            R.SAME_ACCOUNT: asked(source_account_id=1, target_account_id=1),
            R.ACCOUNT_NOT_FOUND: asked(source_account_id=3),
            R.CURRENCY_MISMATCH: exchanging(scale=9),
            R.SAME_CURRENCY: altered(4, currency="USD", scale=2),
            R.AMOUNT_OUT_OF_RANGE: asked(source_amount=Decimal("0.0001")),
            R.ACCOUNT_CLOSED: exchanging(status=Status.CLOSED),
            R.ACCOUNT_FROZEN: FROZEN_1,
            R.INSUFFICIENT_FUNDS: altered(6, held=Decimal(9_999)),
            R.BALANCE_LIMIT_EXCEEDED: altered(5, max_balance=Decimal(1)),
            R.LIMIT_EXCEEDED: limited,
        },
    ),
]
