"""The per-request design, as a competent author would write it: what Koshel is measured against.

aiohttp, pooled asyncpg, declarative validation with cerberus; for each transfer BEGIN, SELECT ... FOR
UPDATE of both rows in id order, two UPDATEs, an INSERT, COMMIT. With a key one statement more, which
claims the key and makes a twin wait. The same tables, processes and server settings as Koshel, and no
access log. `POST /nothing` parses a body and answers without a database.

    DATABASE_URL=... gunicorn --worker-class aiohttp.GunicornUVLoopWebWorker bench.baseline:application
"""

import json
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
from aiohttp import web
from cerberus import TypeDefinition, Validator

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# Connections a process. For a hot account 5 did as well as more or better: who waits for its row holds a
# connection. For uniform accounts 10 did best in one trial and 20 in another, both on a busy machine, so 10
# stands between; `python -m bench --pools` tries 5, 10 and 20 again. What asyncpg's pool sends when a
# connection comes back is its default, and stays.
POOL_SIZE = int(os.environ.get("POOL_SIZE", "10"))
POOL = web.AppKey("pool", asyncpg.Pool)


class DecimalValidator(Validator):  # type: ignore[misc]
    """cerberus, with a type for money."""

    types_mapping = Validator.types_mapping | {"decimal": TypeDefinition("decimal", (Decimal,), ())}


def _money(value: object) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise ValueError("must be finite")
    return amount.quantize(Decimal("0.01"))


SCHEMA = {
    "source_account_id": {"type": "integer", "min": 1, "required": True},
    "target_account_id": {"type": "integer", "min": 1, "required": True},
    "amount": {"type": "decimal", "coerce": _money, "min": Decimal("0.01"), "required": True},
}
VALIDATOR = DecimalValidator(SCHEMA)  # one for all requests: making one takes as long as a validation

CLAIM = """
INSERT INTO receipt (ledger_id, idempotency_key, transaction_id) VALUES (1, $1, nextval('transaction_id'))
ON CONFLICT DO NOTHING RETURNING transaction_id
"""
FIRST = """
SELECT t.id, t.source_account_id, t.target_account_id, t.amount, t.ctime
FROM receipt AS r JOIN transaction AS t ON t.ledger_id = 1 AND t.id = r.transaction_id
WHERE r.ledger_id = 1 AND r.idempotency_key = $1
"""
LOCK = """
SELECT id, currency, balance, version, min_balance, max_balance FROM account
WHERE ledger_id = 1 AND id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""
UPDATE = "UPDATE account SET balance = $2, version = $3 WHERE ledger_id = 1 AND id = $1"
INSERT = """
INSERT INTO transaction (
    ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
    source_version, target_version, idempotency_key, metadata, ctime
) VALUES (
    1, coalesce($9, nextval('transaction_id')), 'transfer', $1, $2, $3, $4, $5, $6, $7, $8, '{}', clock_timestamp()
) RETURNING id, source_account_id, target_account_id, amount, ctime
"""


class Refused(Exception):
    """The transfer cannot be done: a status and why. It leaves the transaction, so all is rolled back."""


async def transfer(request: web.Request) -> web.Response:
    """POST /transaction."""
    try:
        document = await request.json()
    except ValueError:
        return web.json_response({"error": "not JSON"}, status=400)
    if not isinstance(document, dict) or not VALIDATOR.validate(document):
        return web.json_response({"errors": VALIDATOR.errors}, status=422)
    body, key = VALIDATOR.document, request.headers.get("Idempotency-Key")
    try:
        async with request.app[POOL].acquire() as connection, connection.transaction():
            row = await _transfer(connection, key, **body)
    except Refused as refused:
        status, error = refused.args
        return web.json_response({"error": error}, status=status)
    reply: dict[str, Any] = {**row, "amount": str(row["amount"]), "ctime": row["ctime"].isoformat()}
    return web.Response(text=json.dumps(reply), status=201, content_type="application/json")


async def _transfer(
    connection: Connection, key: str | None, source_account_id: int, target_account_id: int, amount: Decimal
) -> asyncpg.Record:
    asked = (source_account_id, target_account_id, amount)
    transaction_id = None
    if key is not None:
        transaction_id = await connection.fetchval(CLAIM, key)
        if transaction_id is None:
            (first,) = await connection.fetch(FIRST, key)
            if (first["source_account_id"], first["target_account_id"], first["amount"]) != asked:
                raise Refused(422, "the key has been used for another request")
            return first
    rows = {row["id"]: row for row in await connection.fetch(LOCK, [source_account_id, target_account_id])}
    if len(rows) < 2:
        raise Refused(404, "account not found")
    source, target = rows[source_account_id], rows[target_account_id]
    source_balance, target_balance = source["balance"] - amount, target["balance"] + amount
    if source["currency"] != target["currency"]:
        raise Refused(422, "currency mismatch")
    max_balance = target["max_balance"]
    if source_balance < source["min_balance"] or (max_balance is not None and target_balance > max_balance):
        raise Refused(409, "balance out of range")
    source_version, target_version = source["version"] + 1, target["version"] + 1
    await connection.execute(UPDATE, source_account_id, source_balance, source_version)
    await connection.execute(UPDATE, target_account_id, target_balance, target_version)
    after = (source_balance, target_balance, source_version, target_version)
    (row,) = await connection.fetch(INSERT, *asked, *after, key, transaction_id)
    return row


async def nothing(request: web.Request) -> web.Response:
    """POST /nothing: a body in, a body out."""
    body = await request.json()
    return web.Response(text=json.dumps(body), status=201, content_type="application/json")


async def application() -> web.Application:
    """The application, for gunicorn."""
    app = web.Application()
    app.cleanup_ctx.append(_pool)
    app.router.add_post("/transaction", transfer)
    app.router.add_post("/nothing", nothing)
    return app


async def _pool(app: web.Application) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
        app[POOL] = pool
        yield
