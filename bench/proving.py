"""How fast `koshel verify` proves the books: a history of two million transactions, made by SQL, and proved."""

from statistics import median

import psycopg
from msgspec import Struct

from bench.books import ACCOUNTS, BooksWrong, Databases
from koshel.db.verifying.verify import prove

HISTORY = 2_000_000  # transactions
QUICK_HISTORY = 200_000
ROUNDS = 3
HISTORY_IS = (
    "Transfers among ten thousand accounts, half of them with a key, and in every fifty transactions a hold and its "
    "capture, both with a key; in batches of 120."
)

# What is wanted: the template has one payment into each account, with ids from 1.
_WISHES = f"""
CREATE TEMP TABLE wish AS
SELECT {ACCOUNTS} + n AS id, n / 120 AS batch,
    CASE n % 50 WHEN 1 THEN 'hold' WHEN 2 THEN 'capture' ELSE 'transfer' END AS kind,
    CASE n % 50 WHEN 2 THEN {ACCOUNTS} + n - 1 END AS parent_id,
    CASE WHEN n % 50 IN (1, 2) OR n % 2 = 0 THEN 'key-' || md5(n::text) END AS idempotency_key,
    1 + (pair * 7919) % {ACCOUNTS} AS source,
    1 + (pair * 7919 + 1 + (pair * 31) % {ACCOUNTS - 1}) % {ACCOUNTS} AS target,
    round((1 + pair % 997) / 100.0, 2) AS amount,
    latest + n / 120 * interval '1 microsecond' AS ctime
FROM (
    SELECT n, CASE n % 50 WHEN 2 THEN n - 1 ELSE n END AS pair FROM generate_series(1, :count::bigint) AS n
) AS numbers CROSS JOIN (SELECT max(ctime) AS latest FROM transaction) AS before
"""
# Each account's line, and what every step leaves.
_LINES = """
CREATE TEMP TABLE line AS
SELECT touched.id, account_id, 1 + row_number() OVER history AS version,
    balance + sum(change) OVER history AS balance, nullif(sum(touched.held) OVER history, 0) AS held
FROM (
    SELECT id, source AS account_id, CASE kind WHEN 'hold' THEN 0.00 ELSE -amount END AS change,
        CASE kind WHEN 'hold' THEN amount WHEN 'capture' THEN -amount ELSE 0.00 END AS held
    FROM wish
    UNION ALL
    SELECT id, target, amount, 0.00 FROM wish WHERE kind <> 'hold'
) AS touched INNER JOIN account ON account.id = account_id
WINDOW history AS (PARTITION BY account_id ORDER BY touched.id)
"""
_FILL = (
    _WISHES,
    _LINES,
    """
    INSERT INTO transaction (
        ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
        source_version, target_version, parent_id, idempotency_key, metadata, ctime, source_held, target_held,
        expires_at
    )
    SELECT 1, wish.id, kind, source, target, amount, s.balance, t.balance, s.version, t.version, parent_id,
        idempotency_key, '{}', ctime, s.held, t.held, CASE kind WHEN 'hold' THEN ctime + interval '600 seconds' END
    FROM wish
    INNER JOIN line AS s ON s.id = wish.id AND s.account_id = source
    LEFT JOIN line AS t ON t.id = wish.id AND t.account_id = target
    ORDER BY wish.id
    """,
    """
    INSERT INTO receipt (ledger_id, idempotency_key, transaction_id, request)
    SELECT 1, idempotency_key, id, CASE kind
        WHEN 'hold' THEN jsonb_build_object(
            'type', 'hold', 'ledger_id', 1, 'source_account_id', source, 'target_account_id', target,
            'amount', amount::text, 'expires_in', 600, 'metadata', '{}'::jsonb, 'key', idempotency_key,
            'default_expires_in', 604800)
        WHEN 'capture' THEN jsonb_build_object(
            'type', 'capture', 'ledger_id', 1, 'parent_id', parent_id, 'amount', NULL, 'final', true,
            'metadata', '{}'::jsonb, 'key', idempotency_key)
    END
    FROM wish WHERE idempotency_key IS NOT NULL
    """,
    """
    INSERT INTO hold (ledger_id, id, amount, expires_at)
    SELECT t.ledger_id, t.id, t.amount, t.expires_at FROM transaction AS t
    WHERE kind = 'hold' AND NOT EXISTS (SELECT FROM wish WHERE wish.parent_id = t.id)
    """,
    "INSERT INTO batch SELECT 1, gen_random_uuid(), array_agg(id ORDER BY id), 2 FROM wish GROUP BY batch",
    """
    UPDATE account SET balance = last.balance, held = coalesce(last.held, 0.00), version = last.version
    FROM (SELECT DISTINCT ON (account_id) * FROM line ORDER BY account_id, version DESC) AS last
    WHERE account.id = last.account_id
    """,
    "SELECT setval('transaction_id', max(id)) FROM transaction",
    "DROP TABLE wish, line",
)


class Proving(Struct, frozen=True):
    """What was proved, and in how many seconds each time."""

    transactions: int
    seconds: list[float]

    @property
    def per_s(self) -> float:
        """Transactions a second: the median."""
        return self.transactions / median(self.seconds)

    def __str__(self) -> str:
        took = ", ".join(f"{one:.1f}" for one in self.seconds)
        return f"{self.per_s:,.0f} of {self.transactions:,} transactions proved a second; all of them in {took} s"


def proving(databases: Databases, transactions: int, rounds: int = ROUNDS) -> Proving:
    """The proof of so many transactions. Raises BooksWrong."""
    with databases.fresh("verify_bench") as (url,):
        fill(url, transactions)
        proofs = [prove(url) for _ in range(rounds)]
    for proof in proofs:
        if proof.wrong:
            raise BooksWrong(f"{len(proof.wrong)} findings, the first: {proof.wrong[0]}")
    return Proving(proofs[0].transactions, [proof.seconds for proof in proofs])


def fill(url: str, transactions: int) -> None:
    """So many transactions more in a copy of the template, and its statistics as autovacuum would leave them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET work_mem = '256MB'")
        for statement in _FILL:
            connection.execute(statement.replace(":count", str(transactions)).encode())
        connection.execute("VACUUM ANALYZE")
