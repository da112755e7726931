"""A shop's HTTP service on FastAPI, which keeps orders with SQLAlchemy and their money with Koshel, in one transaction.

    pip install fastapi uvicorn 'sqlalchemy[asyncio]'
    SHOP_DATABASE_URL=postgresql://owner@localhost/shop uvicorn --app-dir examples fastapi_shop:app

The database is one that `koshel migrate` has seen, as its owner. There are POST /wallet, GET /wallet/{id},
POST /wallet/{id}/top-up and POST /order.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import Column, Identity, MetaData, Table, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.schema import CreateSchema
from sqlalchemy.types import BigInteger, Text

from koshel import Account, Conflict, KoshelError, Ledger, Misuse, OutcomeUnknown, Refused

# In a schema of its own: the database may have orders already that are somebody else's.
TABLES = MetaData(schema="fastapi_shop")
ORDERS = Table(
    "orders",
    TABLES,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("item", Text, nullable=False),
    Column("transaction_id", BigInteger, nullable=False),
)
ATTEMPTS_MAX = 5


class Email(BaseModel):
    """Whose wallet it is to be."""

    email: str


class TopUp(BaseModel):
    """Money from a card, which somebody else has taken."""

    amount: Decimal


class Order(BaseModel):
    """What is bought."""

    buyer: int
    seller: int
    item: str
    price: Decimal


class Wallet(BaseModel):
    """What a client sees of an account."""

    id: int
    email: str
    available: Decimal
    currency: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One ledger and one engine for each process, opened when it starts."""
    url = os.environ["SHOP_DATABASE_URL"]
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        await connection.execute(CreateSchema("fastapi_shop", if_not_exists=True))
        await connection.run_sync(TABLES.create_all)
    async with Ledger.open(url) as ledger:
        app.state.ledger = ledger
        app.state.sessions = async_sessionmaker(engine)
        yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


def ledger_of(request: Request) -> Ledger:
    """The ledger of this process."""
    ledger: Ledger = request.app.state.ledger
    return ledger


def sessions_of(request: Request) -> "async_sessionmaker[AsyncSession]":
    """Where sessions come from."""
    sessions: async_sessionmaker[AsyncSession] = request.app.state.sessions
    return sessions


Money = Annotated[Ledger, Depends(ledger_of)]
Sessions = Annotated["async_sessionmaker[AsyncSession]", Depends(sessions_of)]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]


@app.exception_handler(KoshelError)
async def say_what_happened(_: Request, error: KoshelError) -> JSONResponse:
    """Each cause has a status: what can be mended, what was refused, and what is worth another attempt."""
    if isinstance(error, Refused):
        return JSONResponse({"code": error.code, **error.facts}, status_code=409)
    status = 422 if isinstance(error, Misuse) else 503
    known = "unknown: ask again with the same key" if isinstance(error, OutcomeUnknown) else "nothing was done"
    return JSONResponse({"detail": str(error), "outcome": known}, status_code=status)


@app.post("/wallet", status_code=201)
async def open_wallet(body: Email, ledger: Money, key: Key = None) -> Wallet:
    """A wallet without money."""
    return shown(await ledger.open_account(body.email, key=key))


@app.get("/wallet/{wallet_id}")
async def show_wallet(wallet_id: int, ledger: Money) -> Wallet:
    """What can be spent."""
    account = await ledger.account(wallet_id)
    if account is None:
        raise HTTPException(404)
    return shown(account)


@app.post("/wallet/{wallet_id}/top-up", status_code=201)
async def top_up(wallet_id: int, body: TopUp, ledger: Money, key: Key = None) -> int:
    """The transaction that brought the money."""
    return (await ledger.pay(wallet_id, amount=body.amount, key=key)).id


@app.post("/order", status_code=201)
async def order(body: Order, ledger: Money, sessions: Sessions, key: Key = None) -> int:
    """The order's number, once the order and its money are there; or neither is."""
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return await place(body, ledger, sessions, key)
        except Conflict:  # another transaction came in between, and nothing was done: again from the beginning
            continue
    return await place(body, ledger, sessions, key)


async def place(body: Order, ledger: Ledger, sessions: "async_sessionmaker[AsyncSession]", key: str | None) -> int:
    """One attempt, in one transaction of the session's."""
    async with sessions.begin() as session:
        await session.execute(select(1))  # a session begins its transaction with its first statement
        connection = await (await session.connection()).get_raw_connection()
        driver = connection.driver_connection  # asyncpg's own
        assert driver is not None
        money = ledger.within(driver)
        notes = {"item": body.item}
        paid = await money.transfer(source=body.buyer, target=body.seller, amount=body.price, metadata=notes, key=key)
        # The same key gives the same transaction, so there may be an order for it already.
        known = await session.scalar(select(ORDERS.c.id).where(ORDERS.c.transaction_id == paid.id))
        if known is not None:
            return int(known)
        made = ORDERS.insert().values(item=body.item, transaction_id=paid.id).returning(ORDERS.c.id)
        return int((await session.execute(made)).scalar_one())


def shown(account: Account) -> Wallet:
    """The account as clients see it."""
    return Wallet(id=account.id, email=account.email, available=account.available, currency=account.currency)
