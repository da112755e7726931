"""Whatever a program gives as an argument, it has an answer or an exception of Koshel's, and never one of Python's."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from koshel import KoshelError, Ledger, Misuse, Source, Target
from koshel.asking.requests import Requests
from koshel.inputs.labels import GivenLabels
from tests.support.database import Database

WRONG: Mapping[str, Callable[[], Any]] = {
    "None": lambda: None,
    "1": lambda: 1,
    "0": lambda: 0,
    "True": lambda: True,
    "1.5": lambda: 1.5,
    "text": lambda: "x",
    "no Unicode": lambda: "\ud800",
    "NUL": lambda: "\0",
    "bytes": lambda: b"x",
    "an object": object,
    "a type": lambda: int,
    "a list": list,
    "a list of None": lambda: [None],
    "a list of lists": lambda: [[]],
    "a dict": dict,
    "a dict of numbers": lambda: {1: 1},
    "a set": lambda: {1},
    "a generator": lambda: (one for one in (None,)),
    "a target": lambda: Target(None),  # type: ignore[arg-type]
    "targets": lambda: [Target(object(), share=1, amount=b"", remaining=None)],  # type: ignore[arg-type]
    "sources": lambda: [Source(b"x", share=object(), max=object())],  # type: ignore[arg-type]
}
LABELS = list(GivenLabels.__annotations__)
# What each method is called with, but for the one argument that is wrong.
BASES: Mapping[str, Mapping[str, Any]] = {
    "account": {"account": 1},
    "accounts": {},
    "annotate": {"transaction_id": 1, "description": "a"},
    "balance": {"account": 1},
    "batch": {"members": []},
    "cancel": {"transaction_id": 1},
    "capture": {"hold_id": 1},
    "capture_split": {"group_id": 1},
    "change_account": {"account": 1},
    "changes_of_account": {"account": 1},
    "changes_of_transaction": {"transaction_id": 1},
    "ensure_account": {"name": "users:1", "email": "ann@example.com"},
    "enqueue": {"request": None},
    "exchange": {"source": 1, "target": 2, "source_amount": 1, "rate": 1},
    "hold": {"source": 1, "target": 2, "amount": 1},
    "lines": {"account": 1},
    "open_account": {"email": "ann@example.com"},
    "pay": {"account": 1, "amount": 1},
    "payment": {"account": 1, "amount": 1},
    "refund": {"transaction_id": 1},
    "split": {"amount": 1, "source": 1, "targets": [Target(2, remaining=True)]},
    "split_transactions": {"group_id": 1},
    "statement": {"account": 1},
    "totals": {},
    "transaction": {"transaction_id": 1},
    "transactions": {},
    "transfer": {"source": 1, "target": 2, "amount": 1},
    "void": {"hold_id": 1},
    "void_split": {"group_id": 1},
    "volume": {},
    "withdraw": {"account": 1, "amount": 1},
    "withdrawal": {"account": 1, "amount": 1},
}
NOT_ASKED_HERE = {"open", "create", "within", "rehearsal"}  # as the other methods: these below
NOT_ASKED_HERE |= {"move"}  # no program gives it anything


def public(of: type) -> dict[str, inspect.Signature]:
    found = inspect.getmembers(of, inspect.isfunction)
    return {name: inspect.signature(one) for name, one in found if name[0] != "_" and name not in NOT_ASKED_HERE}


def arguments(signature: inspect.Signature) -> list[str]:
    """The names of all, each label among them."""
    found = []
    for name, parameter in list(signature.parameters.items())[1:]:
        found.extend(LABELS if parameter.kind is parameter.VAR_KEYWORD else [name])
    return found


async def called(given: Any) -> None:
    """The call to its end: what it returns may have to be waited for, or read."""
    if inspect.isawaitable(given):
        given = await given
    if isinstance(given, AbstractAsyncContextManager):
        async with given:
            return
    if hasattr(given, "__aiter__"):
        async for _ in given:
            pass


async def check(call: Callable[..., Any], names: Iterable[str], base: Mapping[str, Any]) -> None:
    """Each of these arguments with each wrong value has no exception but Koshel's."""
    found = []
    for name in names:
        for which, value in WRONG.items():
            try:
                await called(call(**{**base, name: value()}))
            except KoshelError:
                continue
            except Exception as error:  # noqa: BLE001  that is what is looked for
                found.append(f"{name}, {which}: {error!r}")
    assert not found, "\n".join(found)


@pytest.fixture
async def rehearsal(database: Database) -> AsyncIterator[Ledger]:
    """A ledger with a few accounts; nothing that is asked of it is kept."""
    async with Ledger.open(database.service_url) as ledger:
        for number in range(3):
            await ledger.open_account("ann@example.com", name=f"users:{number}")
            await ledger.pay(number + 1, amount=5)
        await ledger.split(amount=1, source=1, targets=[Target(2, remaining=True)], hold=True)
        yield ledger.rehearsal()


def test_every_method_is_known_here() -> None:
    assert public(Ledger).keys() | public(Requests).keys() == set(BASES)


@pytest.mark.parametrize(("method", "signature"), public(Ledger).items(), ids=public(Ledger))
async def test_no_argument_of_a_method_ends_in_an_exception_of_pythons(
    rehearsal: Ledger, method: str, signature: inspect.Signature
) -> None:
    await check(getattr(rehearsal, method), arguments(signature), BASES[method])


@pytest.mark.parametrize(("method", "signature"), public(Requests).items(), ids=public(Requests))
async def test_no_argument_of_a_request_ends_in_an_exception_of_pythons(
    rehearsal: Ledger, method: str, signature: inspect.Signature
) -> None:
    """Neither where it is made, nor where it is given to the ledger."""

    def call(**given: Any) -> Any:
        request = getattr(rehearsal.requests, method)(**given)
        return rehearsal.enqueue(request) if method.endswith("_split") else rehearsal.batch([request])

    await check(call, arguments(signature), BASES[method])


async def test_no_argument_of_an_opening_or_a_making_does(database: Database) -> None:
    base = {"dsn": database.service_url, "ledger": "main"}
    await check(Ledger.open, ["dsn", "settings", "ledger", "schema", "background"], base)
    await check(Ledger.create, ["dsn", "ledger", "schema"], base)


async def test_nothing_that_is_no_connection_is_within(rehearsal: Ledger) -> None:
    await check(lambda connection: rehearsal.within(connection).account(1), ["connection"], {})


@pytest.mark.parametrize("url", ["", " ", "db", "host=db dbname=koshel", "http://db/koshel", "\0"])
async def test_what_is_no_url_is_no_default_server(url: str) -> None:
    for call in (Ledger.open(url), Ledger.create(url, "shop")):
        with pytest.raises(Misuse, match="begins with postgresql://"):
            await called(call)


async def test_legs_may_come_one_by_one(rehearsal: Ledger) -> None:
    paid = await rehearsal.split(amount=2, source=1, targets=(Target(id_, share="1/2") for id_ in (2, 3)))
    assert [one and one.amount for one in paid.transactions] == [1, 1]
