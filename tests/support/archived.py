"""Transactions that are archived: their partition is detached, and later ones are in another."""

import psycopg

PARTITION = 1_000_000  # ids


def fill(owner_url: str) -> None:
    """From now on transactions go to the second partition."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("SELECT setval('transaction_id', %s)", [PARTITION])
        owner.execute("SELECT make_partitions()")


def archive(owner_url: str) -> None:
    """Detach the first partition."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        found = owner.execute("SELECT tableoid::regclass::text FROM transaction ORDER BY id LIMIT 1").fetchone()
        assert found is not None
        owner.execute(f"ALTER TABLE transaction DETACH PARTITION {found[0]}".encode())
