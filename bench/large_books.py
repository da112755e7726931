"""Large books, made by SQL: right to the last digit, so that `koshel verify` proves them.

Accounts come in pairs, which send each other a coin, forth and back, in rounds over all pairs; the last account takes a
payment in every ten transactions, and so has a long history. What each step leaves follows from its number.
"""

from collections.abc import Iterator

import psycopg
from msgspec import Struct

from bench.books import FUNDS, MAIN, Databases
from koshel.db import queries
from koshel.db.starting.migrate import migrate

CHUNK = 1_000_000  # ids at a time: there have to be partitions for them
STEP = 7919  # a prime: pairs come in no order that an index has


class Size(Struct, frozen=True):
    """How large books are."""

    accounts: int  # without the last one; even, and not a multiple of STEP
    transactions: int

    @property
    def hub(self) -> int:
        """The account that has the long history."""
        return self.accounts + 1

    @property
    def pairs(self) -> int:
        """Of accounts."""
        return self.accounts // 2

    @property
    def lines(self) -> int:
        """Of the hub."""
        return (self.transactions - self.accounts) // 10

    @property
    def transfers(self) -> int:
        """Between pairs."""
        return self.transactions - self.accounts - self.lines


# $n: the first id, the last. First each account is funded; of the others `m` is the number, `k` that of a transfer.
_TRANSACTIONS = """
INSERT INTO koshel.transaction (
    ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
    source_version, target_version, reference, metadata, ctime
)
SELECT {ledger}, n, CASE WHEN is_payment THEN 'payment' ELSE 'transfer' END,
    CASE WHEN NOT is_payment THEN 2 * j + 1 + r % 2 END,
    CASE WHEN m <= 0 THEN n WHEN is_payment THEN {hub} ELSE 2 * j + 2 - r % 2 END,
    CASE WHEN m <= 0 THEN {funds} ELSE 1.00 END,
    CASE WHEN NOT is_payment THEN {funds} - (1 - r % 2) END,
    CASE WHEN m <= 0 THEN {funds} WHEN is_payment THEN m / 10 * 1.00 ELSE {funds} + (1 - r % 2) END,
    CASE WHEN NOT is_payment THEN r + 2 END,
    CASE WHEN m <= 0 THEN 1 WHEN is_payment THEN m / 10 ELSE r + 2 END,
    CASE WHEN m % 20 = 3 THEN 'order-' || m / 1000 END, '{{}}', {begin} + n / 100 * interval '2 ms'
FROM (
    SELECT n, m, m <= 0 OR m % 10 = 0 AS is_payment, (m - 1 - m / 10) / {pairs} AS r,
        (m - 1 - m / 10) % {pairs} * {step} % {pairs} AS j
    FROM (SELECT n, n - {accounts} AS m FROM generate_series({first}, {last}) AS n) AS numbers
) AS steps
"""
_BATCHES = """
INSERT INTO koshel.batch (ledger_id, id, transaction_ids, rules)
SELECT {ledger}, gen_random_uuid(), array_agg(n ORDER BY n), 2
FROM generate_series(1, {transactions}) AS n GROUP BY n / 100
"""
# An account has been touched once a round, and in the last one if its pair's turn had come.
_ACCOUNTS = """
WITH turns AS (
    SELECT p * {step} % {pairs} AS j,
        {transfers} / {pairs} + CASE WHEN p < {transfers} % {pairs} THEN 1 ELSE 0 END AS rounds
    FROM generate_series(0, {pairs} - 1) AS p
), standing AS (
    SELECT 2 * j + side AS id, rounds + 1 AS version,
        {funds} + CASE WHEN rounds % 2 = 0 THEN 0 WHEN side = 1 THEN -1 ELSE 1 END AS balance
    FROM turns CROSS JOIN generate_series(1, 2) AS side
    UNION ALL
    SELECT {hub}, {lines}, {lines} * 1.00
), opened AS (
    INSERT INTO koshel.account (
        ledger_id, id, email, currency, scale, balance, held, version, revision, min_balance, status, metadata,
        ctime, name
    )
    SELECT {ledger}, id, 'bench@example.com', 'USD', 2, balance, 0.00, version, 0, 0.00, 'open', '{{}}', {begin},
        'users:' || id
    FROM standing ORDER BY id
    RETURNING ledger_id, id, revision, email, min_balance, max_balance, status, metadata, ctime
)
INSERT INTO koshel.account_change (
    ledger_id, account_id, revision, email, min_balance, max_balance, status, metadata, ctime
)
SELECT ledger_id, id, revision, email, min_balance, max_balance, status, metadata, ctime FROM opened
"""


def make(databases: Databases, name: str, size: Size) -> str:
    """The URL of a new database with such books."""
    url = databases.create(name)
    migrate(url)
    fill(url, size)
    return url


def fill(url: str, size: Size) -> None:
    """Such books in a database that has none."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'")
        row = connection.execute("SELECT extract(epoch FROM now()) - 864000").fetchone()
        assert row is not None
        for statement in _statements(size, begin=f"to_timestamp({row[0]})"):
            connection.execute(statement.encode())
        connection.execute("VACUUM (ANALYZE, FREEZE) koshel.account, koshel.transaction, koshel.batch")


def _statements(size: Size, begin: str) -> Iterator[str]:
    words = {
        "ledger": MAIN,
        "begin": begin,
        "step": f"{STEP}::bigint",  # times half a million pairs it is no integer
        "funds": f"{FUNDS}.00",
        **{name: getattr(size, name) for name in ("accounts", "transactions", "hub", "pairs", "lines", "transfers")},
    }
    for first in range(1, size.transactions + 1, CHUNK):
        last = min(first + CHUNK - 1, size.transactions)
        yield _TRANSACTIONS.format(first=first, last=last, **words)
        yield f"SELECT setval('koshel.transaction_id', {last})"
        yield queries.load().make_partitions
    yield _BATCHES.format(**words)
    yield _ACCOUNTS.format(**words)
    yield f"SELECT setval('koshel.account_id', {size.hub})"
