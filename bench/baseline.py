"""The per-request design, as a competent author would write it: what Koshel is measured against.

aiohttp, pooled asyncpg, declarative validation with cerberus; for each transfer BEGIN, SELECT ... FOR
UPDATE of both rows in id order, two UPDATEs, an INSERT, COMMIT. The same tables, processes and server
settings as Koshel. `POST /nothing` parses a body and answers without a database.

    DATABASE_URL=... gunicorn --worker-class aiohttp.GunicornUVLoopWebWorker bench.baseline:application
"""

import json
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
from aiohttp import web
from cerberus import TypeDefinition, Validator

POOL_SIZE = 20  # connections a process; more made it slower on two cores
POOL = web.AppKey("pool", asyncpg.Pool)


class DecimalValidator(Validator):  # type: ignore[misc]
    """cerberus, with a type for money."""

    types_mapping = Validator.types_mapping | {"decimal": TypeDefinition("decimal", (Decimal,), ())}


SCHEMA = {
    "source_account_id": {"type": "integer", "min": 1, "required": True},
    "target_account_id": {"type": "integer", "min": 1, "required": True},
    "amount": {
        "type": "decimal",
        "coerce": lambda value: Decimal(str(value)),
        "min": Decimal("0.01"),
        "required": True,
    },
}

LOCK = """
SELECT id, currency, balance, version, min_balance, max_balance FROM account
WHERE ledger_id = 1 AND id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""
UPDATE = "UPDATE account SET balance = $2, version = $3 WHERE ledger_id = 1 AND id = $1"
INSERT = """
INSERT INTO transaction (
    ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
    source_version, target_version, idempotency_key, metadata, ctime
) VALUES (1, nextval('transaction_id'), 'transfer', $1, $2, $3, $4, $5, $6, $7, $8, '{}', clock_timestamp())
RETURNING id, ctime
"""
RECEIPT = "INSERT INTO receipt (ledger_id, idempotency_key, transaction_id) VALUES (1, $1, $2)"


async def transfer(request: web.Request) -> web.Response:
    """POST /transaction."""
    validator = DecimalValidator(SCHEMA)
    if not validator.validate(await request.json()):
        return web.json_response({"errors": validator.errors}, status=422)
    body = validator.document
    source_id, target_id, amount = (
        body["source_account_id"],
        body["target_account_id"],
        body["amount"].quantize(Decimal("0.01")),
    )
    key = request.headers.get("Idempotency-Key")
    async with request.app[POOL].acquire() as connection, connection.transaction():
        rows = {row["id"]: row for row in await connection.fetch(LOCK, [source_id, target_id])}
        if len(rows) < 2:
            return web.json_response({"error": "account not found"}, status=404)
        source, target = rows[source_id], rows[target_id]
        source_balance, target_balance = source["balance"] - amount, target["balance"] + amount
        if source["currency"] != target["currency"]:
            return web.json_response({"error": "currency mismatch"}, status=422)
        max_balance = target["max_balance"]
        if source_balance < source["min_balance"] or (max_balance is not None and target_balance > max_balance):
            return web.json_response({"error": "balance out of range"}, status=409)
        source_version, target_version = source["version"] + 1, target["version"] + 1
        await connection.execute(UPDATE, source_id, source_balance, source_version)
        await connection.execute(UPDATE, target_id, target_balance, target_version)
        (row,) = await connection.fetch(
            INSERT, source_id, target_id, amount, source_balance, target_balance, source_version, target_version, key
        )
        if key is not None:
            await connection.execute(RECEIPT, key, row["id"])
    reply: dict[str, Any] = {
        "id": row["id"],
        "source_account_id": source_id,
        "target_account_id": target_id,
        "amount": str(amount),
        "ctime": row["ctime"].isoformat(),
    }
    return web.Response(text=json.dumps(reply), status=201, content_type="application/json")


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
