"""The example on FastAPI is run: over HTTP, with SQLAlchemy's session, in one transaction."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from koshel.db.verifying.verify import verify
from tests.support.database import Database
from tests.support.settled import query

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_shop.py"
ORDERS = "SELECT item FROM fastapi_shop.orders ORDER BY id"


@pytest.fixture
def example() -> ModuleType:
    """The program."""
    spec = importlib.util.spec_from_file_location("fastapi_shop", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def shop(
    example: ModuleType, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shop, which runs."""
    monkeypatch.setenv("SHOP_DATABASE_URL", database.owner_url)
    async with (
        example.app.router.lifespan_context(example.app),
        httpx.AsyncClient(transport=httpx.ASGITransport(example.app), base_url="http://shop") as client,
    ):
        yield client
    assert verify(database.owner_url) == []


async def wallet(shop: httpx.AsyncClient, email: str, money: str | None = None) -> int:
    made = await shop.post("/wallet", json={"email": email})
    assert made.status_code == 201
    number = int(made.json()["id"])
    if money is not None:
        assert (await shop.post(f"/wallet/{number}/top-up", json={"amount": money})).status_code == 201
    return number


async def available(shop: httpx.AsyncClient, number: int) -> str:
    return str((await shop.get(f"/wallet/{number}")).json()["available"])


async def test_an_order_and_its_money_are_there_together(shop: httpx.AsyncClient, database: Database) -> None:
    ann, seller = await wallet(shop, "ann@example.com", "100"), await wallet(shop, "shop@example.com")
    body = {"buyer": ann, "seller": seller, "item": "a book", "price": "12.50"}
    placed = await shop.post("/order", json=body, headers={"Idempotency-Key": "order-1"})
    assert (placed.status_code, placed.json()) == (201, 1)
    again = await shop.post("/order", json=body, headers={"Idempotency-Key": "order-1"})
    assert (again.status_code, again.json()) == (201, 1)
    assert (await available(shop, ann), await available(shop, seller)) == ("87.50", "12.50")
    assert query(database, ORDERS) == [("a book",)]


async def test_what_is_refused_or_wrong_leaves_no_order(shop: httpx.AsyncClient, database: Database) -> None:
    ann, seller = await wallet(shop, "ann@example.com", "100"), await wallet(shop, "shop@example.com")
    piano = {"buyer": ann, "seller": seller, "item": "a piano", "price": "4000"}
    refused = await shop.post("/order", json=piano)
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient-funds")
    assert (await shop.post("/order", json=piano | {"price": "0"})).status_code == 422
    assert (await shop.post("/order", json=piano | {"buyer": 2**63})).status_code == 422
    assert (await shop.get("/wallet/999")).status_code == 404
    assert query(database, ORDERS) == []


async def test_many_at_once_are_all_there(shop: httpx.AsyncClient, database: Database) -> None:
    wallets = [await wallet(shop, f"{name}@example.com", "100") for name in ("ann", "bob", "cyd")]
    pairs = [(buyer, seller) for buyer in wallets for seller in wallets if buyer != seller] * 3
    placed = await asyncio.gather(
        *(
            shop.post("/order", json={"buyer": buyer, "seller": seller, "item": "tea", "price": "1"})
            for buyer, seller in pairs
        )
    )
    assert {one.status_code for one in placed} == {201}
    assert len(query(database, ORDERS)) == len(pairs)
    assert [await available(shop, one) for one in wallets] == ["100.00"] * 3
