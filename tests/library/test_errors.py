"""One tree of exceptions, each with a text; and what can never succeed is refused before anything is sent."""

import asyncio
import pickle
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import koshel
from koshel import (
    Conflict,
    Invalid,
    KoshelError,
    Ledger,
    Misuse,
    OutcomeUnknown,
    Overloaded,
    Promised,
    Refused,
    SchemaNotCurrent,
    StoreError,
    Unavailable,
)
from koshel.batching.answering import Interrupted
from koshel.db import errors as of_db
from tests.support.database import Database
from tests.support.settled import query

PARENTS = {
    Refused: KoshelError,
    Promised: KoshelError,
    StoreError: KoshelError,
    Misuse: KoshelError,
    Unavailable: StoreError,
    Conflict: StoreError,
    OutcomeUnknown: StoreError,
    Overloaded: Unavailable,
    SchemaNotCurrent: Misuse,
    Invalid: Misuse,
    Interrupted: OutcomeUnknown,
    of_db.Crowded: Overloaded,
    of_db.Obstructed: Unavailable,
    of_db.DatabaseUnavailable: Unavailable,
    of_db.Unfit: Misuse,
}
ARGUMENTS: dict[type[KoshelError], tuple[Any, ...]] = {
    Refused: ("insufficient-funds", {"account_id": 1}, Refused("account-closed", {})),
    Promised: (7,),
    Invalid: ("amount", "must be more than zero"),
}


def test_every_public_exception_is_in_the_tree() -> None:
    public = {one for name in koshel.__all__ if isinstance(one := getattr(koshel, name), type)}
    raised = {one for one in public if issubclass(one, BaseException)}
    assert raised - {KoshelError} == {
        one for one in PARENTS if one.__module__ in {"koshel.errors", "koshel.inputs.values"}
    }
    for child, parent in PARENTS.items():
        assert issubclass(child, parent)
    causes = [Refused, Promised, Unavailable, Conflict, OutcomeUnknown, Misuse]
    for child in PARENTS:
        assert child is StoreError or len([cause for cause in causes if issubclass(child, cause)]) == 1


@pytest.mark.parametrize("kind", PARENTS)
def test_every_exception_has_a_text_and_comes_out_of_another_process_as_it_went_in(kind: type[KoshelError]) -> None:
    error = kind(*ARGUMENTS.get(kind, ()))
    assert len(str(error)) > 10
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert (type(copy), str(copy), vars(copy).keys()) == (kind, str(error), vars(error).keys())


def test_what_is_said_of_one_case_goes_before_what_the_class_means() -> None:
    assert str(Conflict("could not serialize access")) == "could not serialize access"


def test_a_misuse_is_a_value_error_as_pythons_own() -> None:
    assert issubclass(Misuse, ValueError)


IDS: list[Any] = ["1", 0, -1, 2**63, 2**70, None, 1.0, True]
BY_ID: dict[str, Callable[[Ledger, Any], Coroutine[Any, Any, Any]]] = {
    "account": lambda ledger, id_: ledger.account(id_),
    "transaction": lambda ledger, id_: ledger.transaction(id_),
    "change_account": lambda ledger, id_: ledger.change_account(id_, metadata={}),
    "pay": lambda ledger, id_: ledger.pay(id_, amount=1),
    "transfer": lambda ledger, id_: ledger.transfer(source=id_, target=1, amount=1),
    "hold": lambda ledger, id_: ledger.hold(source=id_, target=None, amount=1),
    "capture": lambda ledger, id_: ledger.capture(id_),
    "void": lambda ledger, id_: ledger.void(id_),
    "refund": lambda ledger, id_: ledger.refund(id_),
    "batch": lambda ledger, id_: ledger.batch([ledger.requests.payment(id_, amount=1)]),
    "enqueue": lambda ledger, id_: ledger.enqueue(ledger.requests.payment(id_, amount=1)),
}


@pytest.mark.parametrize("name", BY_ID)
async def test_what_is_no_id_is_a_misuse(ledger: Ledger, name: str) -> None:
    for id_ in IDS:
        for asked in (ledger, ledger.rehearsal()):
            with pytest.raises(Invalid):
                await BY_ID[name](asked, id_)


async def test_what_is_no_status_and_no_key_is_a_misuse(ledger: Ledger, ann: int) -> None:
    with pytest.raises(Invalid, match=r'^status must be one of "closed", "frozen", "open"$'):
        await ledger.change_account(ann, status="shut")
    with pytest.raises(Invalid):
        await ledger.pay(ann, amount=1, key=7)  # type: ignore[arg-type]
    with pytest.raises(Invalid):
        await ledger.open_account(7)  # type: ignore[arg-type]


async def test_a_ledger_of_another_event_loop_is_refused_before_anything_is_sent(
    ledger: Ledger, database: Database, ann: int
) -> None:
    asked: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: ledger.pay(ann, amount=1),
        lambda: ledger.rehearsal().pay(ann, amount=1),
        lambda: ledger.enqueue(ledger.requests.payment(ann, amount=1)),
        lambda: ledger.account(ann),
        lambda: ledger.transaction(1),
    ]
    for call in asked:
        with pytest.raises(Misuse, match="another event loop"):
            await asyncio.to_thread(lambda one: asyncio.run(one()), call)
    counts = "SELECT (SELECT count(*) FROM transaction), (SELECT count(*) FROM queued)"
    assert query(database, counts) == [(1, 0)]


async def test_a_url_that_cannot_be_used_is_a_misuse() -> None:
    with pytest.raises(Misuse, match="port"):
        async with Ledger.open("postgresql://ann@127.0.0.1:99999/koshel"):
            pass
