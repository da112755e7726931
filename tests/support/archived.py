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


def scheduled_early(owner_url: str, account_id: int, *, version: int, id_: int) -> None:
    """As if the transaction of a line had been scheduled, and so had its id long before it was executed."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        moved = "UPDATE transaction SET id = %s WHERE target_account_id = %s AND target_version = %s"
        assert owner.execute(moved, [id_, account_id, version]).rowcount == 1


def attach(owner_url: str) -> None:
    """Attach the first partition again, as docs/operations.md says."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        values = f"FROM (MINVALUE) TO ({PARTITION})"
        owner.execute(f"ALTER TABLE transaction ATTACH PARTITION transaction_p000000 FOR VALUES {values}".encode())
