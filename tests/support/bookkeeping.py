"""Books to test on: a few accounts and transactions of every kind, settled by the service's own code.

transaction          account 1        account 2       account 3
1 paid      100.00   100.00 at 1
2            30.00    70.00 at 2      30.00 at 1
3              500                                    500 at 1
4            12.50                    17.50 at 2
5             7.05    62.95 at 3      24.55 at 3

transaction          account 4, held          account 5
 6 payment   100.00  100.00        at  1
 7 hold       30.00  100.00, 30.00 at  2                      key `held`, open: 20.00 is left
 8 hold       20.00  100.00, 50.00 at  3
 9 hold       10.00  100.00, 60.00 at  4                      for a withdrawal
10 hold        5.00  100.00, 65.00 at  5                      for no time at all
11 capture    10.00   90.00, 55.00 at  6      10.00 at 1      of 7, not final
12 capture    15.00   75.00, 35.00 at  7      25.00 at 2      of 8, final
13 void       10.00   75.00, 25.00 at  8                      of 9
14 expiry      5.00   75.00, 20.00 at  9                      of 10
15 refund      4.00   79.00, 20.00 at 10      21.00 at 3      of 12
16 refund      9.00   70.00, 20.00 at 11                      of 6
17 transfer    1.00   69.00, 20.00 at 12      22.00 at 4      group 1, key `grouped`
18 transfer    2.00   67.00, 20.00 at 13      24.00 at 5      group 1
19 transfer    3.00   70.00, 20.00 at 14      21.00 at 6      enqueued, key `later`
20 transfer 1000.00                                           enqueued, declined, key `never`
21 transfer    4.00                                           enqueued, queued, key `waiting`
22 hold        6.00   70.00, 26.00 at 15                      open, for a withdrawal
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

import psycopg

from koshel.core.commands import ChangeAccount, Command, Kind, Move, OpenAccount, Status
from koshel.core.model import Posted
from koshel.db.settling.claims import Claim, ClaimHolds, ClaimQueued
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.wallets import capture, enqueue, group, hold, payment, postings, refund, transfer, void

LEDGER = 1


def opening(
    currency: str = "USD", *, key: str | None = None, min_balance: str = "0", ledger_id: int = LEDGER
) -> Command:
    """Open an account."""
    return OpenAccount(ledger_id, "ann@example.com", currency, Decimal(min_balance), None, key=key)


def move(source: int | None, target: int | None, amount: str, *, key: str | None = None) -> Command:
    """Move money; None is the world outside."""
    kind = Kind.PAYMENT if source is None else Kind.WITHDRAWAL if target is None else Kind.TRANSFER
    return Move(LEDGER, kind, source, target, Decimal(amount), key=key)


# Accounts 1, 2 (USD) and 3 (JPY) have moves only; 4, 5 (CHF) all the rest; 6 is closed.
BATCHES: Sequence[Sequence[Command | Claim]] = [
    [opening(key="opened"), opening(min_balance="-50"), opening("JPY"), *[opening("CHF")] * 3],
    [move(None, 1, "100", key="paid"), move(1, 2, "30"), move(None, 3, "500")],
    [move(2, None, "12.50"), move(1, 2, "7.05")],
    [
        payment(4, "100"),
        hold(4, 5, "30", key="held"),
        hold(4, 5, "20"),
        hold(4, None, "10"),
        hold(4, 5, "5", seconds=0),
        ChangeAccount(LEDGER, 6, status=Status.CLOSED, key="closed"),
    ],
    [capture(7, "10", final=False), capture(8, "15"), void(9)],
    [ClaimHolds(LEDGER, 10)],
    [refund(12, "4"), refund(6, "9")],
    [group(transfer(4, 5, "1"), transfer(4, 5, "2"), key="grouped")],
    [enqueue(transfer(5, 4, "3", key="later")), enqueue(transfer(5, 4, "1000", key="never"))],
    [ClaimQueued(LEDGER, 10)],
    [enqueue(transfer(5, 4, "4", key="waiting"))],
    [hold(4, None, "6")],
]
UNPOSTED = {20, 21}  # and not posted


async def keep_books(store: Store) -> list[Posted]:
    """The books above, on an empty database; returns the transactions."""
    outcomes = [outcome for batch in BATCHES for outcome in await settle(store, batch)]
    posted = postings(outcomes)
    assert [one.id for one in posted] == [n for n in range(1, 23) if n not in UNPOSTED]
    return posted


def execute(url: str, *statements: str) -> None:
    """Run statements as whoever the URL says, in one transaction."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def timeless(sentences: Iterable[str]) -> list[str]:
    """What a proof says, with `then` for each time at which the books were kept."""
    return [re.sub(r"202[1-9]-\d\d-\d\d [\d:.]+Z", "then", sentence) for sentence in sentences]
