"""Partitions of transactions: what their tables and indexes are of, and smaller ones than the service makes."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import psycopg

_OWN = re.compile(r"transaction_p\d{6}_(source_version|target_version)")
# Each partition of transactions, and its range.
BOUNDS = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits AS i INNER JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'transaction'::regclass ORDER BY 1
"""
_PARENTS = """
SELECT c.relname, p.relname FROM pg_inherits AS i
INNER JOIN pg_class AS c ON c.oid = i.inhrelid INNER JOIN pg_class AS p ON p.oid = i.inhparent
"""


def parents(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The table or the index of all partitions, by the name of each partition's."""
    return dict(connection.execute(_PARENTS).fetchall())


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def named_as_one(connection: psycopg.Connection[Any], plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a plan, with the names of what all partitions have in common."""
    of = parents(connection)
    found = list(nodes(plan))
    for node in found:
        for kind in ("Index Name", "Relation Name"):
            if kind in node:
                node[kind] = _OWN.sub(r"transaction_\1", of.get(node[kind], node[kind]))
    return found


def statements(bounds: list[int]) -> Iterator[str]:
    """SQL that puts partitions between these ids in the place of those that are there; `transaction` has no row yet."""
    yield """DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'transaction'::regclass LOOP
            EXECUTE 'DROP TABLE ' || name;
        END LOOP;
    END $$"""
    for number, (first, end) in enumerate(pairwise(bounds)):
        name = f"transaction_p9{number:05}"
        yield f"CREATE TABLE {name} (LIKE transaction INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)"
        for side in ("source", "target"):
            yield (
                f"CREATE UNIQUE INDEX {name}_{side}_version ON {name} (ledger_id, {side}_account_id, {side}_version)"
                f" WHERE {side}_account_id IS NOT NULL"
            )
        yield f"ALTER TABLE transaction ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({end})"
