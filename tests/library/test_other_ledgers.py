"""A request that one ledger has made is refused by every other, wherever it is given: its money would move there."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from koshel import Invalid, Ledger, Target
from koshel.asking.checks import checked
from koshel.asking.requests import Requests
from koshel.core.commands import EnsureAccount
from koshel.core.decide import decide
from koshel.core.ending import EndSplit
from tests.support.database import Database
from tests.support.settled import rows
from tests.support.small_books import wrong_in
from tests.support.wallets import account, book, enqueue, group, transfer

if TYPE_CHECKING:
    import asyncpg

REASON = "must be a request of this ledger: another ledger has made it"
# Each kind of request that can be a member, or queued.
REQUESTS: dict[str, Callable[[Requests], Any]] = {
    "payment": lambda make: make.payment(1, amount=1, key="one"),
    "withdrawal": lambda make: make.withdrawal(1, amount=1),
    "transfer": lambda make: make.transfer(source=1, target=2, amount=1),
    "hold": lambda make: make.hold(source=1, target=None, amount=1),
    "capture": lambda make: make.capture(1),
    "void": lambda make: make.void(1),
    "refund": lambda make: make.refund(1),
    "split": lambda make: make.split(amount=1, source=1, targets=[Target(2, remaining=True)]),
    "capture_split": lambda make: make.capture_split(1),
    "void_split": lambda make: make.void_split(1),
    "exchange": lambda make: make.exchange(source=1, target=2, source_amount=1, rate=2),
    "ensure_account": lambda make: make.ensure_account("users:1", email="ann@example.com"),
}
# How each public method that takes requests is called with one; the method's name, and the field that is refused.
TAKES: Mapping[str, tuple[str, Callable[[Any], Mapping[str, Any]]]] = {
    "batch": ("transactions/0", lambda one: {"members": [one]}),
    "enqueue": ("request", lambda one: {"request": one}),
}
# No opening of an account can be queued, and no end of a split be a member, whoever has made it.
UNLIKE: Mapping[type, str] = {EnsureAccount: "enqueue", EndSplit: "batch"}
PUBLIC = {"open", "create", "within", "rehearsal"}  # of a ledger: these take no request, and are no requests


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Ledger]:
    """Another ledger of the same database."""
    await Ledger.create(database.service_url, "shop")
    async with Ledger.open(database.service_url, ledger="shop") as other:
        yield other


def methods(of: type) -> dict[str, inspect.Signature]:
    found = inspect.getmembers(of, inspect.isfunction)
    return {name: inspect.signature(one) for name, one in found if not name.startswith("_") and name not in PUBLIC}


def takes_requests(signature: inspect.Signature) -> bool:
    return any(
        "Request" in str(one.annotation) or "Move" in str(one.annotation) for one in signature.parameters.values()
    )


@pytest.mark.parametrize("of", [Ledger, Requests])
def test_every_method_that_takes_requests_is_known_here(of: type) -> None:
    assert {name for name, signature in methods(of).items() if takes_requests(signature)} == set(TAKES)


def test_every_request_that_can_be_a_member_is_known_here() -> None:
    makes = {name for name in methods(Requests) if name not in {"open_account", "change_account", "move", *TAKES}}
    assert makes == set(REQUESTS)


def calls(make: Callable[[Requests], Any], theirs: Requests) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Each method, the field that it refuses, and its arguments."""
    made = make(theirs)
    unlike = UNLIKE.get(type(made))
    found = [(name, field, ask(made)) for name, (field, ask) in TAKES.items()]
    found.append(("batch", "transactions/0", {"members": [made], "atomic": False}))
    return [one for one in found if one[0] != unlike]


@pytest.mark.parametrize("make", REQUESTS.values(), ids=REQUESTS)
async def test_a_request_of_another_ledger_is_refused_before_anything_is_sent(
    ledger: Ledger, other: Ledger, database: Database, connection: "asyncpg.Connection[Any]", make: Callable[..., Any]
) -> None:
    before = rows(database)
    async with connection.transaction():
        asked = (ledger, ledger.rehearsal(), ledger.within(connection), ledger.within(connection).rehearsal())
        for one in asked:
            for name, field, arguments in calls(make, other.requests):
                with pytest.raises(Invalid) as told:
                    await getattr(one, name)(**arguments)
                assert (told.value.field, told.value.reason) == (field, REASON)
    assert rows(database) == before
    assert wrong_in(database.owner_url) == []


async def test_the_first_that_is_of_another_ledger_is_named(ledger: Ledger, other: Ledger) -> None:
    mine, theirs = (one.requests.transfer(source=1, target=2, amount=1) for one in (ledger, other))
    with pytest.raises(Invalid, match=f"transactions/1 {REASON}"):
        await ledger.batch([mine, theirs])


async def test_a_method_that_forgets_to_look_cannot_move_money_elsewhere(ledger: Ledger, other: Ledger) -> None:
    made = other.requests.transfer(source=1, target=2, amount=1)
    with pytest.raises(Invalid, match=REASON):
        await ledger._settle(made)
    assert checked(made, made.ledger_id) is made


@pytest.mark.parametrize("wrong", [group(transfer(1, 2, "1"), ledger_id=2), enqueue(transfer(1, 2, "1"))])
def test_the_core_decides_nothing_within_that_is_of_another_ledger(wrong: Any) -> None:
    with pytest.raises(AssertionError, match="only where it is asked"):
        decide(book(account(1, "5"), account(2, "5")), [replace(wrong, ledger_id=2)])
