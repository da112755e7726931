"""A problem has the facts that its type says, and its type says no more than there can be."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema_rs import ValidationError
from msgspec.structs import replace

from koshel.core.commands import UNRESOLVED, ChangeAccount, Command, EnsureAccount, Kind, OpenAccount, Status
from koshel.core.decide import decide
from koshel.core.legs import SplitSource
from koshel.core.model import Declined, Refusal
from koshel.core.notes import Annotate
from koshel.core.originals import Pending
from koshel.http.document.fact_bases import NoFacts
from koshel.http.document.facts import FACTS, REFUSALS, TYPED, code_of, type_name
from koshel.http.handlers.routes import ROUTES
from koshel.http.problems import PROBLEMS, Failure, no_such_account, transaction_not_found, validation_failed
from koshel.http.refusals import refused
from tests.support import documented
from tests.support.exchanges import exchange
from tests.support.limited import limit, limiting
from tests.support.looks import at
from tests.support.split_legs import end, split
from tests.support.wallets import (
    NOW,
    account,
    book,
    by_names,
    capture,
    enqueue,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
    withdrawal,
)

ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
PAID, HELD, CAPTURED, BRIEF = 101, 102, 103, 104
WALLETS = (
    account(1, "100.00", version=4, revision=2, name="users:1"),
    account(2, "5.00", version=9, name="users:2"),
    account(3, "0.00", "KWD"),
    account(4, "99.99", ceiling="100.00", name="users:4"),
    account(5, "0.00", status=Status.CLOSED, name="users:5"),
    account(6, "5.00", status=Status.FROZEN, name="users:6"),
    account(7, "-5.00", floor="-10", name="users:7"),
    account(8, "10.00", name="users:8"),
)
BOOK = at(
    NOW + timedelta(seconds=60),
    kept(
        book(*WALLETS),
        payment(1, "1", key="used"),
        hold(1, 2, "40"),
        capture(HELD, "2.5", final=False),
        hold(1, 2, "6", seconds=60),
        void(BRIEF),
        refund(PAID, "0.25"),
        hold(1, 2, "6", seconds=60),
        limiting(8, limit("1d", "5")),
        withdrawal(8, "2"),
    ),
)
LATE = 107
BOOK.state.pending = {201: Pending(1, Kind.TRANSFER, "queued"), 202: Pending(1, Kind.HOLD, "declined")}

# The exchange account that it needs is not there, and may not go below zero.
NEW = replace(exchange(1, 3, "1", "1", accounts=(("KWD", 405), ("USD", 404))), default_min_balance=Decimal(0))
REFUSED: list[tuple[Command, str]] = [
    (payment(1, "2", key="used"), "idempotency-key-reused"),
    (OpenAccount(1, "a@example.com", "GOLD"), "unknown-currency"),
    (EnsureAccount(1, "users:new", "a@example.com", "GOLD"), "unknown-currency"),
    (OpenAccount(1, "a@example.com", name="users:2", id=2), "name-taken"),
    (EnsureAccount(1, "users:2", "a@example.com", id=2), "name-taken"),
    (capture(404), "transaction-not-found"),
    (refund(404), "transaction-not-found"),
    (hold(1, 2, "1", seconds=1, capture_at=NOW + timedelta(days=1)), "validation-failed"),
    (enqueue(payment(1, "1"), NOW + timedelta(days=99)), "validation-failed"),
    (void(PAID), "not-a-hold"),
    (Annotate(1, 201), "not-posted"),
    (refund(HELD), "not-refundable"),
    (refund(201), "not-refundable"),
    (refund(202), "not-refundable"),
    (transfer(1, 1, "1"), "same-account"),
    (by_names(transfer(1, 1, "1")), "same-account"),
    (by_names(transfer(UNRESOLVED, UNRESOLVED, "1"), "nobody", "nobody"), "same-account"),
    (by_names(transfer(UNRESOLVED, 1, "1"), "nobody", None), "account-not-found"),
    (transfer(404, 1, "1"), "account-not-found"),
    (payment(404, "1"), "account-not-found"),
    (ChangeAccount(1, 404), "account-not-found"),
    (transfer(1, 3, "1"), "currency-mismatch"),
    (exchange(1, 2, "1", "1", accounts=(("USD", 404),)), "same-currency"),
    (payment(1, "0.001"), "validation-failed"),
    (capture(BRIEF), "hold-not-open"),
    (void(202), "hold-not-open"),
    (capture(LATE), "hold-expired"),
    (ChangeAccount(1, 1, expected=((1, 1),)), "version-mismatch"),
    (payment(5, "1"), "account-closed"),
    (payment(6, "1"), "account-frozen"),
    (ChangeAccount(1, 1, status=Status.CLOSED), "account-not-empty"),
    (capture(HELD, "50"), "capture-exceeds-hold"),
    (refund(PAID, "5"), "refund-exceeds-original"),
    (withdrawal(2, "500"), "insufficient-funds"),
    (ChangeAccount(1, 7, min_balance=Decimal(0)), "insufficient-funds"),
    (split("500", target=1, sources=[SplitSource(2)]), "insufficient-funds"),
    (NEW, "insufficient-funds"),
    (payment(4, "1"), "balance-limit-exceeded"),
    (ChangeAccount(1, 1, max_balance=Decimal(1)), "balance-limit-exceeded"),
    (withdrawal(8, "4"), "limit-exceeded"),
    (withdrawal(8, "6"), "limit-exceeded"),
    (group(payment(1, "1"), transfer(404, 1, "1")), "batch-refused"),
    (end("capture", HELD, BRIEF), "batch-refused"),
]


def content(command: Command, at: str = "") -> dict[str, Any]:
    (declined,) = decide(BOOK, [command])
    assert isinstance(declined, Declined), declined
    return refused(declined, at).content()


@pytest.mark.parametrize(("command", "code"), REFUSED)
def test_a_refusal_has_the_facts_of_its_type(command: Command, code: str) -> None:
    problem = content(command)
    assert problem["code"] == code
    documented.problem(problem)
    msgspec.convert(problem, TYPED[code], strict=True)


def test_what_is_not_posted_cannot_be_refunded_and_says_its_kind_and_its_status() -> None:
    problem = content(refund(201))
    assert (problem["kind"], problem["transaction_status"]) == ("transfer", "queued")
    assert problem["detail"] == "Transaction 201 cannot be refunded: it is queued."
    assert content(refund(HELD)).keys() == problem.keys() - {"transaction_status"}


@pytest.mark.parametrize("status", ["queued", "declined", "cancelled"])
def test_a_refusal_that_an_earlier_version_has_kept_is_answered_as_it_was_then(status: str) -> None:
    kept = Declined(refund(201), Refusal.NOT_REFUNDABLE, {"transaction_id": 201, "kind": status})
    problem = refused(kept).content()
    assert (problem["kind"], problem["detail"]) == (status, f"Transaction 201 cannot be refunded: it is {status}.")
    assert "transaction_status" not in problem


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("GOLD", "GOLD is neither in ISO 4217 nor registered with `koshel currency add`."),
        ("XAU", "ISO 4217 has no decimals for XAU; register it with them, as `koshel currency add XAU --scale 4`."),
    ],
)
def test_of_a_currency_that_cannot_be_used_it_is_said_what_to_do(code: str, detail: str) -> None:
    problem = content(OpenAccount(1, "a@example.com", code))
    assert (problem["currency"], problem["detail"]) == (code, detail)


def test_funds_are_insufficient_for_a_payment_or_for_a_limit_and_each_has_facts_of_its_own() -> None:
    funds = [content(one).keys() for one, code in REFUSED if code == "insufficient-funds"]
    paying, limiting, together, exchanging = funds
    assert exchanging ^ paying == {"account_id"}, "it has the name of an account that is not opened after all"
    assert paying ^ limiting == {"available", "required"} | {"balance", "held", "min_balance"}
    assert paying ^ together == {"account_id", "name", "missing"}
    assert paying >= {"available", "required"}


def test_every_refusal_of_a_member_is_one_that_a_batch_and_a_queued_transaction_can_tell_of() -> None:
    others = ChangeAccount | OpenAccount | Annotate
    told = {code for command, code in REFUSED if not isinstance(command, others)}
    assert told - {"batch-refused"} == set(REFUSALS)
    for command, code in REFUSED:
        if code in REFUSALS and not isinstance(command, ChangeAccount):
            problem = content(command, "/transactions/3")
            for name in ("Refusal", "Declination"):
                documented.component(name).validate(problem)
            documented.problem(problem)


def test_every_refusal_is_in_the_table() -> None:
    assert {code for _, code in REFUSED} == {code_of(one) for one in Refusal}


def test_every_fact_of_a_refusal_is_one_that_somebody_gets() -> None:
    told: dict[str, set[str]] = {}
    for command, code in REFUSED:
        told.setdefault(code, set()).update(content(command), content(command, "/transactions/3"))
    for code, facts in told.items():
        assert facts == {"code", *(one.name for one in msgspec.structs.fields(TYPED[code]))}, code


@pytest.mark.parametrize("code", PROBLEMS)
def test_the_document_in_the_docs_has_the_facts_of_its_type(code: str) -> None:
    text = ERRORS.read_text().partition(f"\n## `{code}`\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    documented.problem(json.loads(example))
    msgspec.convert(json.loads(example), TYPED[code], strict=True)


def test_a_fact_that_is_not_declared_is_noticed() -> None:
    problem = Failure("account-frozen", "…", account_id=1).content()
    documented.problem(problem)
    with pytest.raises(AssertionError, match=r"AccountFrozen: .'colour'"):
        documented.problem(problem | {"colour": "red"})
    with pytest.raises(ValidationError):
        documented.problem(problem | {"account_id": "1"})
    with pytest.raises(ValidationError):
        documented.problem({name: value for name, value in problem.items() if name != "account_id"})


@pytest.mark.parametrize("name", ["abc", "0", "9" * 30])
def test_an_id_that_cannot_be_one_is_no_number_and_is_left_out(name: str) -> None:
    for problem in (no_such_account(name).content(), transaction_not_found(name).content()):
        documented.problem(problem)
        assert not problem.keys() & {"account_id", "transaction_id"}
        assert name in problem["detail"]


def test_what_is_wrong_with_a_request_is_listed_by_its_place() -> None:
    documented.problem(validation_failed("/amount", "is required").content())
    errors = [
        {"pointer": "", "header": "Idempotency-Key", "detail": "…"},
        {"pointer": "", "parameter": "x", "detail": ""},
    ]
    documented.problem(Failure("validation-failed", "…", errors=errors).content())
    with pytest.raises(ValidationError):
        documented.problem(Failure("validation-failed", "…", errors=[{"detail": "…"}]).content())


def test_every_problem_has_a_type_of_its_own_and_some_have_no_facts() -> None:
    assert TYPED.keys() == PROBLEMS.keys()
    assert len({type_name(code) for code in PROBLEMS}) == len(PROBLEMS)
    assert type_name("insufficient-funds") == "InsufficientFunds"
    for code in PROBLEMS.keys() - FACTS.keys():
        fields = [one.name for one in msgspec.structs.fields(TYPED[code])]
        assert fields == [one.name for one in msgspec.structs.fields(NoFacts)]


def test_every_problem_is_one_of_some_route_but_that_a_route_has_no_such_method() -> None:
    answered = {code for route in ROUTES for code in route.all_problems}
    assert PROBLEMS.keys() - answered == {"method-not-allowed"}
