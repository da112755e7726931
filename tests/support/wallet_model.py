"""What the service promises, in a page: no batches, no locks, no database, no time. Every currency is the dollar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
REFUNDABLE = {"payment", "withdrawal", "transfer", "capture"}


class Refused(Exception):
    """With the code of its problem."""

    @property
    def code(self) -> str:
        return str(self.args[0])


class Wish(NamedTuple):
    """What somebody wants: money between two sides, or something about an earlier transaction."""

    kind: str
    source: int | None = None
    target: int | None = None
    parent: int | None = None
    amount: Decimal | None = None  # None: all there is
    final: bool = True
    reference: str | None = None
    names: Mapping[int, str] = {}  # by which it asks for these accounts


@dataclass
class Purse:
    """An account."""

    floor: Decimal
    ceiling: Decimal | None
    name: str = ""
    balance: Decimal = ZERO
    held: Decimal = ZERO
    version: int = 0
    revision: int = 0
    status: str = "open"
    limits: list[dict[str, str]] = field(default_factory=list)  # by time, of windows that are longer than a test
    moved: dict[str, Decimal] = field(default_factory=lambda: {"out": ZERO, "in": ZERO})


@dataclass
class Deed:
    """A transaction."""

    kind: str
    source: int | None
    target: int | None
    amount: Decimal
    parent: int | None = None
    status: str = "posted"
    rest: Decimal = ZERO  # of a hold: what it still reserves
    refunded: Decimal = ZERO
    reference: str | None = None
    notes: list[str | None] = field(default_factory=list)  # its descriptions, one after the other


@dataclass
class Model:
    """The accounts and transactions, by id."""

    purses: dict[int, Purse] = field(default_factory=dict)
    deeds: dict[int, Deed] = field(default_factory=dict)
    declined: dict[int, str] = field(default_factory=dict)  # the kinds of queued transactions, by id

    def make(self, wish: Wish) -> Deed:
        """The transaction, which has no id yet. What follows another has that one's reference. Raises Refused."""
        deed = self._make(wish)
        deed.reference = wish.reference or (None if wish.parent is None else self.deeds[wish.parent].reference)
        return deed

    def _make(self, wish: Wish) -> Deed:
        match wish.kind:
            case "hold":
                return self._hold(wish)
            case "capture":
                return self._capture(wish)
            case "void":
                return self._void(wish)
            case "refund":
                return self._refund(wish)
            case _:
                return self._move(wish)

    def change(self, account_id: int, wanted: dict[str, Any], known: tuple[int, int] | None) -> None:
        """Other terms for an account. Raises Refused."""
        purse = self.purses[account_id]
        floor = Decimal(wanted.get("min_balance", purse.floor))
        ceiling = (
            purse.ceiling if "max_balance" not in wanted else wanted["max_balance"] and Decimal(wanted["max_balance"])
        )
        if known not in (None, (purse.version, purse.revision)):
            raise Refused("version-mismatch")
        if purse.status == "closed":
            raise Refused("account-closed")
        if wanted.get("status") == "closed" and (purse.balance or purse.held):
            raise Refused("account-not-empty")
        if purse.balance - purse.held < floor:
            raise Refused("insufficient-funds")
        if ceiling is not None and purse.balance > ceiling:
            raise Refused("balance-limit-exceeded")
        purse.limits = wanted.get("limits", purse.limits) or []
        purse.floor, purse.ceiling, purse.status = floor, ceiling, wanted.get("status", purse.status)
        purse.revision += 1

    def _move(self, wish: Wish) -> Deed:
        if wish.source == wish.target:
            raise Refused("same-account")
        amount = _rounded(wish.amount)
        self._both_open(wish.source, wish.target)
        self._shift(wish.source, wish.target, amount)
        return Deed(wish.kind, wish.source, wish.target, amount)

    def _hold(self, wish: Wish) -> Deed:
        if wish.source == wish.target:
            raise Refused("same-account")
        amount = _rounded(wish.amount)
        self._both_open(wish.source, wish.target)
        assert wish.source is not None
        purse = self.purses[wish.source]
        if purse.balance - purse.held - purse.floor < amount:
            raise Refused("insufficient-funds")
        self._check_limits(wish.source, "out", amount + purse.held)
        purse.held += amount
        purse.version += 1
        return Deed("hold", wish.source, wish.target, amount, status="held", rest=amount)

    def _capture(self, wish: Wish) -> Deed:
        hold = self._parent(wish)
        if hold.kind != "hold":
            raise Refused("not-a-hold")
        wanted = hold.rest if wish.amount is None else _rounded(wish.amount)
        if hold.status != "held":
            raise Refused("hold-not-open")
        self._both_open(hold.source, hold.target)
        if wanted > hold.rest:
            raise Refused("capture-exceeds-hold")
        self._check_ceiling(hold.target, wanted)
        self._check_limits(hold.source, "out", wanted)
        self._check_limits(hold.target, "in", wanted)
        assert hold.source is not None
        rest = ZERO if wish.final else hold.rest - wanted
        self.purses[hold.source].held -= hold.rest - rest
        hold.rest, hold.status = rest, "held" if rest else "captured"
        self._book(hold.source, hold.target, wanted)
        return Deed("capture", hold.source, hold.target, wanted, wish.parent)

    def _void(self, wish: Wish) -> Deed:
        hold = self._parent(wish)
        if hold.kind != "hold":
            raise Refused("not-a-hold")
        if hold.status != "held":
            raise Refused("hold-not-open")
        assert hold.source is not None
        purse, amount = self.purses[hold.source], hold.rest
        purse.held -= amount
        purse.version += 1
        hold.rest, hold.status = ZERO, "voided"
        return Deed("void", hold.source, hold.target, amount, wish.parent)

    def _refund(self, wish: Wish) -> Deed:
        original = self._parent(wish)
        if original.kind not in REFUNDABLE:
            raise Refused("not-refundable")
        left = original.amount - original.refunded
        amount = left if wish.amount is None else _rounded(wish.amount)
        self._both_open(original.target, original.source)
        if not ZERO < amount <= left:
            raise Refused("refund-exceeds-original")
        self._shift(original.target, original.source, amount)
        original.refunded += amount
        return Deed("refund", original.target, original.source, amount, wish.parent)

    def _parent(self, wish: Wish) -> Deed:
        assert wish.parent is not None
        if wish.parent in self.declined:
            is_hold = self.declined[wish.parent] == "hold"
            raise Refused("not-refundable" if wish.kind == "refund" else "hold-not-open" if is_hold else "not-a-hold")
        if wish.parent not in self.deeds:
            raise Refused("transaction-not-found")
        return self.deeds[wish.parent]

    def _both_open(self, source: int | None, target: int | None) -> None:
        statuses = [self.purses[side].status for side in (source, target) if side is not None]
        for status in ("closed", "frozen"):
            if status in statuses:
                raise Refused(f"account-{status}")

    def _shift(self, source: int | None, target: int | None, amount: Decimal) -> None:
        if source is not None:
            purse = self.purses[source]
            if purse.balance - purse.held - purse.floor < amount:
                raise Refused("insufficient-funds")
        self._check_ceiling(target, amount)
        if source is not None:
            self._check_limits(source, "out", amount + self.purses[source].held)
        self._check_limits(target, "in", amount)
        self._book(source, target, amount)

    def _book(self, source: int | None, target: int | None, amount: Decimal) -> None:
        for side, change in ((source, -amount), (target, amount)):
            if side is not None:
                self.purses[side].balance += change
                self.purses[side].version += 1
                self.purses[side].moved["in" if change > 0 else "out"] += amount

    def _check_limits(self, side: int | None, way: str, amount: Decimal) -> None:
        purse = None if side is None else self.purses[side]
        if purse and any(way in one and purse.moved[way] + amount > Decimal(one[way]) for one in purse.limits):
            raise Refused("limit-exceeded")

    def _check_ceiling(self, target: int | None, amount: Decimal) -> None:
        ceiling = None if target is None else self.purses[target].ceiling
        if target is not None and ceiling is not None and self.purses[target].balance + amount > ceiling:
            raise Refused("balance-limit-exceeded")


def _rounded(amount: Decimal | None) -> Decimal:
    assert amount is not None
    rounded = amount.quantize(CENT, ROUND_HALF_EVEN)
    if not rounded:
        raise Refused("validation-failed")
    return rounded
