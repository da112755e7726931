"""The books held to every answer that a load was given."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import psycopg

from koshel.db.verifying.verify import verify
from tests.support.load import FUNDS, Got, Load

Row: TypeAlias = tuple[Any, ...]

TRANSACTIONS = """
    SELECT id, idempotency_key, kind, source_account_id, target_account_id, amount::text, parent_id, group_id
    FROM transaction WHERE (source_account_id = ANY(%s) OR target_account_id = ANY(%s)) AND kind <> 'payment'
    ORDER BY id
"""
KEYS = "SELECT idempotency_key FROM receipt WHERE idempotency_key LIKE %s"
DECLINED = "SELECT id, answer ->> 'refusal' FROM declined WHERE id = ANY(%s) ORDER BY id"


def prove(load: Load, owner_url: str) -> None:
    """What was acknowledged is on the books exactly once, what was refused is not, and nothing else is."""
    ids = load.account_ids
    with psycopg.connect(owner_url) as connection:
        rows = connection.execute(TRANSACTIONS, [ids, ids]).fetchall()
        keys = [key for (key,) in connection.execute(KEYS, [f"{load.name}%"])]
        declined = connection.execute(DECLINED, [list(load.kept)]).fetchall()
        [(queued,)] = connection.execute("SELECT count(*) FROM queued")
        [(kept,)] = connection.execute("SELECT sum(balance) FROM account WHERE id = ANY(%s)", [ids])
    acknowledged = sorted(_row(body) for got in load.answered.values() for body in _posted(load, got))
    assert acknowledged
    assert rows == acknowledged
    refused = [body for body in load.kept.values() if body["status"] == "declined"]
    assert declined == sorted((body["id"], body["problem"]["code"]) for body in refused)
    assert queued == 0
    legs = [one["idempotency_key"] for got in load.answered.values() for one in _legs(got)]
    assert sorted(keys) == sorted([*load.answered, *legs])
    assert kept == FUNDS * len(ids)
    assert verify(owner_url) == []


def _posted(load: Load, got: Got) -> Iterator[Any]:
    """The transactions that an answer says, or a queued one became, are on the books."""
    if got.status == 201 and "results" not in got.body:
        yield got.body
    elif got.status == 201:
        assert len({one["group_id"] for one in _legs(got)}) == 1
        yield from _legs(got)
    elif got.status == 202 and load.kept[got.body["id"]]["status"] != "declined":
        assert load.kept[got.body["id"]]["status"] == "posted"
        yield load.kept[got.body["id"]]


def _legs(got: Got) -> list[Any]:
    results = got.body.get("results", []) if got.status == 201 else []
    return [one["transaction"] for one in results]


def _row(body: Any) -> Row:
    names = ("id", "idempotency_key", "kind", "source_account_id", "target_account_id", "amount", "parent_id")
    return (*(body[name] for name in names), body["group_id"])
