"""An order service that keeps its money with Koshel, in one database: no network between an order and its payment.

    python examples/library.py                                       while `koshel serve` runs in this directory
    python examples/library.py postgresql://owner@localhost/shop     after `koshel migrate` as that database's owner

The order's row and its money are written in one transaction of PostgreSQL, so they are there together or not at all.
It may be run again and again: what it finds there, it leaves as it is.
"""

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import asyncpg

from koshel import Conflict, Ledger, Refused

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

ATTEMPTS_MAX = 5

# In a schema of its own: the database may have orders already that are somebody else's.
ORDERS = """
CREATE SCHEMA IF NOT EXISTS example;
CREATE TABLE IF NOT EXISTS example.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item text NOT NULL,
    transaction_id bigint NOT NULL
)
"""


class Orders:
    """The shop's orders, each with the transaction that paid for it."""

    def __init__(self, ledger: Ledger, connection: "Connection") -> None:
        self._ledger = ledger
        self._connection = connection

    async def place(self, buyer: int, seller: int, item: str, price: str) -> int:
        """Keep an order and pay for it, both or neither. Raises Refused, and then there is no order."""
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return await self._place(buyer, seller, item, price)
            except Conflict:  # another transaction came in between, and nothing was done: again from the beginning
                continue
        return await self._place(buyer, seller, item, price)

    async def _place(self, buyer: int, seller: int, item: str, price: str) -> int:
        async with self._connection.transaction():
            money = self._ledger.within(self._connection)
            paid = await money.transfer(source=buyer, target=seller, amount=price, metadata={"item": item})
            number: int = await self._connection.fetchval(
                "INSERT INTO example.orders (item, transaction_id) VALUES ($1, $2) RETURNING id", item, paid.id
            )
        return number

    async def count(self) -> int:
        """How many there are."""
        number: int = await self._connection.fetchval("SELECT count(*) FROM example.orders")
        return number


async def open_accounts(ledger: Ledger) -> tuple[int, int, int]:
    """A buyer with money, a seller, and an account for fees."""
    buyer = await ledger.open_account("ann@example.com")
    seller = await ledger.open_account("shop@example.com", metadata={"role": "seller"})
    fees = await ledger.open_account("fees@example.com", max_balance=None)
    await ledger.pay(buyer.id, amount="100")
    return buyer.id, seller.id, fees.id


async def show_orders(orders: Orders, buyer: int, seller: int) -> None:
    """One order that can be paid for, and one that cannot."""
    number = await orders.place(buyer, seller, "a book", "12.50")
    print(f"order {number} is kept and paid for")
    try:
        await orders.place(buyer, seller, "a piano", "4000")
    except Refused as refused:
        print(f"no piano: {refused.code}, {refused.facts['available']} is there")
    print(f"orders kept: {await orders.count()}")


async def show_money(ledger: Ledger, buyer: int, seller: int, fees: int) -> None:
    """A transfer, a hold, a refund, and a payment with two legs."""
    gift = await ledger.transfer(source=buyer, target=seller, amount="5", metadata={"for": "the service"})
    print(f"transfer: {gift.amount} {gift.currency}")

    hold = await ledger.hold(source=buyer, target=seller, amount="30", expires_in=3600)
    print(f"held: {hold.amount}, until it is captured, voided, or an hour is over")
    await ledger.capture(hold.id, amount="20", final=False)  # the first parcel has left
    last = await ledger.capture(hold.id, amount="6")  # the second, and that was all: the rest is free again
    print(f"captured last: {last.amount}")

    back = await ledger.refund(gift.id, amount="2")
    print(f"refunded: {back.amount} of {gift.amount}")

    make = ledger.requests
    await ledger.batch(
        [
            make.transfer(source=buyer, target=seller, amount="19.40"),
            make.transfer(source=buyer, target=fees, amount="0.60"),
        ]
    )
    print("paid: 19.40 to the seller and 0.60 in fees, both or neither")


async def main(dsn: str) -> None:
    """All of it, on a migrated database whose owner the DSN names."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(ORDERS)
        async with Ledger.open(dsn) as ledger:
            buyer, seller, fees = await open_accounts(ledger)
            await show_orders(Orders(ledger, connection), buyer, seller)
            await show_money(ledger, buyer, seller, fees)
            for account_id in (buyer, seller, fees):
                account = await ledger.account(account_id)
                assert account is not None
                print(f"{account.email} has {account.balance} {account.currency}")
    finally:
        await connection.close()


def embedded() -> str:
    """Where the PostgreSQL is that `koshel serve` has started in this directory."""
    found = subprocess.run([sys.executable, "-m", "koshel", "url"], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        sys.exit("run it where `koshel serve` runs, or name a database: python examples/library.py postgresql://...")
    return found.stdout.strip()


if __name__ == "__main__":
    match sys.argv[1:]:
        case [dsn]:
            asyncio.run(main(dsn))
        case []:
            asyncio.run(main(embedded()))
        case _:
            sys.exit("usage: python examples/library.py [postgresql://...]")
