"""What `help` says of the library is what it does."""

import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import reduce
from operator import or_
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

import koshel
from koshel import Account, Balance, Change, Hold, Ledger, Limit, Line, Promise, Totals, Transaction
from koshel.asking.group_requests import MemberRequest
from koshel.asking.requests import Requests
from koshel.core.commands import Deferrable
from koshel.inputs.labels import GivenLabels
from koshel.inputs.texts import Asked
from tests.tidy.test_docs import DOCS

ASKED = {
    "open_account": "open_account",
    "ensure_account": "ensure_account",
    "change_account": "change_account",
    "pay": "payment",
    "withdraw": "withdrawal",
    "transfer": "transfer",
    "hold": "hold",
    "split": "split",
    "capture_split": "capture_split",
    "void_split": "void_split",
    "capture": "capture",
    "void": "void",
    "refund": "refund",
    "batch": "batch",
    "enqueue": "enqueue",
}
MADE = MemberRequest | Deferrable  # by `requests`
METHODS = {name: one for name, one in inspect.getmembers(Ledger, callable) if not name.startswith("_")}
SEEN = {"Borrowable": object, "AsyncIterator": AsyncIterator, "Ledger": Ledger}  # what only a type checker imports
RESULTS = (Account, Transaction, Hold, Promise, Balance, Line, Totals, Change, Limit)


def as_a_program_gives_it(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter of a request, which takes amounts and accounts as HTTP gives them too, without those."""
    types = get_args(parameter.annotation)
    as_http_gives_it = {msgspec.Raw, Asked}
    if as_http_gives_it.isdisjoint(types):
        return parameter
    return parameter.replace(annotation=reduce(or_, (one for one in types if one not in as_http_gives_it)))


@pytest.mark.parametrize("name", ASKED)
def test_a_method_takes_what_its_request_takes(name: str) -> None:
    method, request = inspect.signature(METHODS[name]), inspect.signature(getattr(Requests, ASKED[name]))
    assert list(method.parameters.values()) == [as_a_program_gives_it(one) for one in request.parameters.values()]
    assert inspect.iscoroutinefunction(METHODS[name])


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_does_and_what_it_returns(name: str) -> None:
    method = METHODS[name]
    assert inspect.getdoc(method), name
    assert "*args" not in str(inspect.signature(method))
    assert inspect.signature(method).return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", METHODS)
def test_nothing_that_could_be_something_else_goes_without_its_name(name: str) -> None:
    """Of ids and amounts, which both may be an int, one at most."""
    parameters = inspect.signature(METHODS[name]).parameters.values()
    by_place = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD and one.name not in {"self", "cls"}]
    assert len([one for one in by_place if "int" in str(one.annotation)]) <= 1
    assert name in {"open", "create"} or len(by_place) <= 1


@pytest.mark.parametrize("of", [Ledger, Requests])
def test_what_a_method_takes_by_labels_is_said_by_help(of: type) -> None:
    takes = {
        name: method
        for name, method in inspect.getmembers(of, inspect.isfunction)
        if any(one.kind is one.VAR_KEYWORD for one in inspect.signature(method).parameters.values())
    }
    assert "transfer" in takes
    for method in takes.values():
        text = pydoc.render_doc(method)
        assert [name for name in GivenLabels.__annotations__ if f"`{name}`" not in text] == []


def test_help_and_dir_show_every_public_name() -> None:
    """In a process of its own, where nothing of the library is loaded yet."""
    program = (
        "import koshel, pydoc, sys; print(*dir(koshel)); print(pydoc.render_doc(koshel, renderer=pydoc.plaintext))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names, _, text = run.stdout.partition("\n")
    assert set(koshel.__all__) <= set(names.split())
    classes = [name for name in koshel.__all__ if isinstance(getattr(koshel, name), type)]
    assert [name for name in classes if f"class {name}(" not in text] == []


@pytest.mark.parametrize("result", RESULTS)
def test_what_is_answered_is_public_frozen_and_described(result: type[msgspec.Struct]) -> None:
    assert getattr(koshel, result.__name__) is result
    assert result.__struct_config__.frozen
    (row,) = [
        line for line in (DOCS / "library.md").read_text().splitlines() if line.startswith(f"| `{result.__name__}` |")
    ]
    inherited = Transaction.__struct_fields__ if result is Hold else ()
    own = [name for name in result.__struct_fields__ if name not in inherited]
    assert re.findall(r"`(\w+)`", row.split("|")[3]) == own


def mentioned(annotation: Any) -> Iterator[type]:
    """The classes of ours that a type is made of."""
    if isinstance(annotation, type) and annotation.__module__.startswith("koshel."):
        yield annotation
    for one in get_args(annotation):
        yield from mentioned(one)


def test_whatever_a_method_takes_or_answers_can_be_imported() -> None:
    found = {
        one for method in METHODS.values() for hint in get_type_hints(method, SEEN).values() for one in mentioned(hint)
    }
    told = {one for one in found if issubclass(one, msgspec.Struct)} - set(mentioned(MADE))
    found |= {one for each in told for hint in get_type_hints(each).values() for one in mentioned(hint)}
    found -= {GivenLabels, *mentioned(MADE)}  # arguments by their names, and what `requests` makes
    assert {one.__name__ for one in found if getattr(koshel, one.__name__, None) is not one} == set()
    assert {Account, Limit, Totals, Line, Change} <= found


def test_every_public_name_is_described() -> None:
    text = (DOCS / "library.md").read_text()
    assert [name for name in koshel.__all__ if f"`{name}`" not in text and name != "__version__"] == []


async def test_money_is_what_can_be_spent_now(ledger: Ledger) -> None:
    eve = await ledger.open_account("eve@example.com", min_balance=-20)
    await ledger.pay(eve.id, amount=100)
    await ledger.hold(source=eve.id, target=None, amount=30)
    read: Any = await ledger.account(eve.id)
    assert (str(read.balance), str(read.held), str(read.available)) == ("100.00", "30.00", "90.00")
