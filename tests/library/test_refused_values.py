"""Whatever a program gives, it is told what is wrong with it by an exception of ours, before anything is sent."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from koshel import Invalid, Ledger, Misuse, Target
from tests.support.database import Database

Call = Callable[[Ledger], Coroutine[Any, Any, Any]]


async def read(found: AsyncIterator[Any]) -> None:
    async for _ in found:
        pass


CALLS: dict[str, tuple[str, Call]] = {
    "an email with NUL": ("email", lambda ledger: read(ledger.accounts(email="x\0"))),
    "an email that is empty": ("email", lambda ledger: read(ledger.accounts(email=""))),
    "a reference that is empty": ("reference", lambda ledger: read(ledger.transactions(reference=""))),
    "a key that is empty": ("key", lambda ledger: read(ledger.transactions(key=""))),
    "a filter that is empty": ("filter", lambda ledger: read(ledger.accounts(filter=""))),
    "a currency that is empty": ("currency", lambda ledger: read(ledger.accounts(currency=""))),
    "a name that is empty": ("name", lambda ledger: read(ledger.accounts(name=""))),
    "a name that is no text": ("name", lambda ledger: read(ledger.accounts(name=5))),  # type: ignore[arg-type]
    "a reference with NUL": ("reference", lambda ledger: read(ledger.transactions(reference="a\0b"))),
    "a reference that is not Unicode": ("reference", lambda ledger: read(ledger.transactions(reference="\ud800"))),
    "metadata with NUL": ("metadata", lambda ledger: read(ledger.transactions(kind="refund", metadata={"a": "\0"}))),
    "nothing that is queued": ("request", lambda ledger: ledger.enqueue(None)),  # type: ignore[arg-type]
    "no batch": ("transactions", lambda ledger: ledger.batch(None)),  # type: ignore[arg-type]
    "a member that is none": ("transactions/0", lambda ledger: ledger.batch([1])),  # type: ignore[list-item]
    "a target that is none": (
        "targets/0",
        lambda ledger: ledger.split(amount=1, source=1, targets=[1]),  # type: ignore[list-item]
    ),
    "a source that is none": (
        "sources/0",
        lambda ledger: ledger.split(amount=1, target=1, sources=[Target(1)]),  # type: ignore[list-item]
    ),
}


@pytest.mark.parametrize(("field", "call"), CALLS.values(), ids=CALLS)
async def test_a_value_that_cannot_be_is_invalid(ledger: Ledger, field: str, call: Call) -> None:
    with pytest.raises(Invalid) as told:
        await call(ledger)
    assert told.value.field.startswith(field)


@pytest.mark.parametrize("name", ["\0", "\ud800", "Shop", 5])
async def test_a_ledger_that_can_have_no_such_name_is_not_looked_for(database: Database, name: Any) -> None:
    with pytest.raises(Misuse, match="ledger"):
        async with Ledger.open(database.service_url, ledger=name):
            pass
    with pytest.raises(Misuse, match="ledger"):
        await Ledger.create(database.owner_url, name)


@pytest.mark.parametrize("schema", ["\0", "\ud800", "pg_toast", 5])
async def test_a_schema_that_can_have_no_such_name_is_not_looked_for(database: Database, schema: Any) -> None:
    with pytest.raises(Invalid) as told:
        async with Ledger.open(database.service_url, schema=schema):
            pass
    assert told.value.field == "schema"
