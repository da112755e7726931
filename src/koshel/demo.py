"""A month of a marketplace that could be, to look at: buyers, sellers, fees, holds, refunds and payouts.

The same seed and the same month make the same books. Buyers pay in by card, and buy. The seller and the marketplace,
which takes a fee, get their parts by a split: of most orders at once; of the others it is a split of holds, captured
when the order is shipped, or voided when it is cancelled. Some orders are refunded. On Fridays sellers are paid out.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import TypeAlias

from msgspec import Struct

from koshel.asking.group_requests import MemberRequest
from koshel.errors import Refused
from koshel.inputs.labels import GivenLabels
from koshel.inputs.legs import Target
from koshel.library.exchanges import Exchange
from koshel.library.group_results import SplitResult
from koshel.library.ledger import Ledger
from koshel.library.results import Account, Promise, Transaction

SELLERS = 40
BUYERS = 300
ORDERS_A_DAY = 120  # of a weekday; half as many again of a Saturday or a Sunday
FEE = "8%"
FEES = "@marketplace:fees"
CURRENCY = "USD"

_WARES = ("Books", "Ceramics", "Coffee", "Garden", "Lamps", "Maps", "Music", "Paper", "Spices", "Tea", "Tools", "Toys")
_PLACES = ("Bridge", "Corner", "Harbour", "Hill", "Lantern", "Market", "Mill", "Park", "River", "Station")
_FRIDAY = 4
_CENT = Decimal("0.01")
_PAID_OUT = Decimal("0.8")  # of what a seller has; the rest is there for refunds
_PAYOUT_MIN = 20

Became: TypeAlias = Transaction | SplitResult | Exchange | Account | Promise | Refused


class Order(Struct, frozen=True):
    """What a buyer buys of a seller."""

    number: int
    buyer: str
    seller: str
    amount: Decimal
    is_held: bool  # until it is shipped


class Made(Struct):
    """How many there are."""

    accounts: int = 0
    transactions: int = 0


async def fill(ledger: Ledger, seed: int, month: date, progress: Callable[[float], None]) -> Made:
    """Fill a ledger that is empty; `month`: its first day. Raises StoreError."""
    marketplace = _Marketplace(ledger, seed)
    await marketplace.open_accounts()
    days = monthrange(month.year, month.month)[1]
    for n in range(days):
        await marketplace.live(month + timedelta(days=n))
        progress((n + 1) / days)
    return marketplace.made


class _Marketplace:
    """The month as far as it has gone."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.made = Made()
        self._ledger = ledger
        self._dice = Random(seed)
        self._orders = 0
        self._spendable: dict[str, Decimal] = defaultdict(Decimal)  # by buyer
        self._balances: dict[str, Decimal] = defaultdict(Decimal)  # of sellers
        self._to_ship: dict[date, list[tuple[Order, list[int]]]] = defaultdict(list)  # with the ids of the holds
        self._to_return: dict[date, list[tuple[Order, list[int]]]] = defaultdict(list)  # ... of the transactions

    async def open_accounts(self) -> None:
        """Open all of them."""
        ensure, dice = self._ledger.requests.ensure_account, self._dice
        members = [ensure(FEES[1:], email="fees@example.com", currency=CURRENCY, max_balance=None)]
        for n in range(1, SELLERS + 1):
            shop = {"shop": f"{dice.choice(_PLACES)} {dice.choice(_WARES)}"}
            email = f"seller{n}@example.com"
            members.append(ensure(f"sellers:{n}", email=email, currency=CURRENCY, max_balance=None, metadata=shop))
        members += [
            ensure(f"buyers:{n}", email=f"buyer{n}@example.com", currency=CURRENCY, max_balance=None)
            for n in range(1, BUYERS + 1)
        ]
        await self._settle(members)

    async def live(self, day: date) -> None:
        """All that happens on a day."""
        await self._ship(day)
        await self._refund(day)
        await self._sell(day)
        if day.weekday() == _FRIDAY:
            await self._pay_out(day)

    async def _sell(self, day: date) -> None:
        many = ORDERS_A_DAY * (3 if day.weekday() > _FRIDAY else 2) / 2
        orders = [self._order() for _ in range(round(many * self._dice.uniform(0.8, 1.2)))]
        top_ups = list(self._top_ups(orders, day))
        make = self._ledger.requests.split
        bought = [
            make(
                amount=one.amount,
                source=one.buyer,
                targets=[Target(one.seller, remaining=True), Target(FEES, share=FEE)],
                hold=one.is_held,
                **_labels(one, day, "Order"),
            )
            for one in orders
        ]
        became = await self._settle([*top_ups, *bought])
        for order, split in zip(orders, became[len(top_ups) :], strict=True):
            assert isinstance(split, SplitResult), "the buyer has the money"
            ids = [leg.id for leg in split.transactions if leg is not None]
            self._spendable[order.buyer] -= order.amount
            if order.is_held:
                self._to_ship[day + timedelta(days=self._dice.randint(1, 3))].append((order, ids))
            else:
                self._sold(order, ids, day)

    def _order(self) -> Order:
        dice = self._dice
        self._orders += 1
        seller = int(SELLERS * dice.random() ** 2) + 1  # a few sell much
        amount = Decimal(str(5 + min(400.0, dice.lognormvariate(3.2, 0.8)))).quantize(_CENT)
        buyer = f"@buyers:{dice.randint(1, BUYERS)}"
        return Order(self._orders, buyer, f"@sellers:{seller}", amount, is_held=dice.random() < 0.3)

    def _top_ups(self, orders: Sequence[Order], day: date) -> Iterator[MemberRequest]:
        needed: dict[str, Decimal] = defaultdict(Decimal)
        for order in orders:
            needed[order.buyer] += order.amount
        for buyer, amount in needed.items():
            missing = amount - self._spendable[buyer]
            if missing > 0:
                paid = Decimal(50) * (int(missing / 50) + self._dice.randint(1, 3))
                self._spendable[buyer] += paid
                yield self._ledger.requests.payment(buyer, amount=paid, description="Card", effective_on=day)

    def _sold(self, order: Order, ids: list[int], day: date) -> None:
        if self._dice.random() < 0.04:
            self._to_return[day + timedelta(days=self._dice.randint(2, 10))].append((order, ids))

    async def _ship(self, day: date) -> None:
        make, members, shipped = self._ledger.requests, list[MemberRequest](), list[Order | None]()
        for order, ids in self._to_ship.pop(day, ()):
            if self._dice.random() < 0.1:
                members += [make.void(id_, **_labels(order, day, "Cancelled")) for id_ in ids]
                self._spendable[order.buyer] += order.amount
                shipped += [None] * len(ids)
            else:
                members += [make.capture(id_, **_labels(order, day, "Shipped")) for id_ in ids]
                shipped += [order] * len(ids)
        captured: dict[Order, list[int]] = defaultdict(list)
        for order_, became in zip(shipped, await self._settle(members), strict=True):
            if order_ is not None:
                assert isinstance(became, Transaction), "the hold is open"
                captured[order_].append(became.id)
        for order, ids in captured.items():
            self._sold(order, ids, day)

    async def _refund(self, day: date) -> None:
        """Refund what was returned, where the seller has the money; where not, on the next day."""
        make, members = self._ledger.requests, list[MemberRequest]()
        for order, ids in self._to_return.pop(day, ()):
            if self._balances[order.seller] < order.amount:
                self._to_return[day + timedelta(days=1)].append((order, ids))
                continue
            self._balances[order.seller] -= order.amount
            self._spendable[order.buyer] += order.amount
            members += [make.refund(id_, **_labels(order, day, "Returned")) for id_ in ids]
        await self._settle(members)

    async def _pay_out(self, day: date) -> None:
        make, members = self._ledger.requests.withdrawal, list[MemberRequest]()
        for seller, balance in sorted(self._balances.items()):
            amount = (balance * _PAID_OUT).quantize(_CENT, ROUND_DOWN)
            if amount >= _PAYOUT_MIN and seller != FEES:
                about = f"payout-{day}"
                members.append(make(seller, amount=amount, reference=about, description="Payout", effective_on=day))
        await self._settle(members)

    async def _settle(self, members: Sequence[MemberRequest]) -> list[Became]:
        """What became of each; nothing is refused, since who pays has the money."""
        if not members:
            return []
        became = await self._ledger.batch(members)
        for one in became:
            self.made.accounts += isinstance(one, Account)
            for made in one.transactions if isinstance(one, SplitResult) else [one]:
                if isinstance(made, Transaction):
                    self.made.transactions += 1
                    self._note(made)
        return became

    def _note(self, made: Transaction) -> None:
        for name, balance in ((made.source, made.source_balance), (made.target, made.target_balance)):
            if name is not None and balance is not None and not name.startswith("buyers:"):
                self._balances[f"@{name}"] = balance


def _labels(order: Order, day: date, description: str) -> GivenLabels:
    return {"reference": f"order-{order.number}", "description": description, "effective_on": day}
