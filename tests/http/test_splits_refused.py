"""What is answered to a split that is wrong, or refused: the table of docs/splits.md."""

from typing import Any

import pytest

from tests.http.test_splits import of, source, target, to
from tests.support.till import Till

MISSING = 999_999_999
ANN, BOB, CAT, YEN, CLOSED, FROZEN, FULL = (-place for place in range(1, 8))  # stand for accounts of the test

Body = dict[str, Any]

# A body, and the pointer that the first error has.
INVALID: list[tuple[Body, str]] = [
    (to(ANN, "10", target(BOB, "100%")) | {"sources": [source(CAT)]}, "/targets"),
    (to(ANN, "10", target(BOB, "100%")) | {"target_account_id": CAT}, "/target_account_id"),
    (of(BOB, "10", source(CAT)) | {"source_account_id": ANN}, "/source_account_id"),
    (to(ANN, "10", target(BOB, "100%")) | {"target": "users:42"}, "/target"),
    (of(BOB, "10", source(CAT)) | {"source": "users:42"}, "/source"),
    (of(BOB, "10", source(CAT)) | {"source_account_id": None}, "/source_account_id"),
    ({"amount": "10", "targets": [target(BOB, "100%")]}, "/source_account_id"),
    ({"amount": "10", "sources": [source(BOB)]}, "/target_account_id"),
    ({"source_account_id": ANN, "targets": [target(BOB, "100%")]}, "/amount"),
    (to(ANN, "10"), "/targets"),
    (of(ANN, "10"), "/sources"),
    (to(ANN, "10", *[target(BOB, "1/101") for _ in range(101)]), "/targets"),
    (of(ANN, "10", *[source(BOB) for _ in range(101)]), "/sources"),
    (to(ANN, "10", target(BOB, "50%"), target(CAT)), "/targets/1"),
    (to(ANN, "10", target(BOB, "50%"), target(CAT, remaining=False)), "/targets/1"),
    (to(ANN, "10", target(BOB, "50%"), target(CAT, "50%", amount="5")), "/targets/1"),
    (of(ANN, "10", source(BOB, "50%", max="5"), source(CAT)), "/sources/0"),
    *[
        (to(ANN, "10", target(BOB, "50%"), target(CAT, share)), "/targets/1/share")
        for share in ("1/0", "0%", "0/3", "101%", "4/3", "-5%", "+5%", "0.5", "5 %", "", "%", "1e1%", "5%\n", "\u0665%")
    ],
    (to(ANN, "10", target(BOB, "50%"), {"target_account_id": CAT, "share": 0.5}), "/targets/1/share"),
    (to(ANN, "10", *[target(BOB, "33.33%") for _ in range(3)]), "/targets"),
    (to(ANN, "10", target(BOB, "50%"), target(CAT, "51%")), "/targets"),
    (to(ANN, "10", target(BOB, amount="5"), target(CAT, amount="4.99")), "/targets"),
    (to(ANN, "10", target(BOB, amount="5"), target(CAT, amount="5.01")), "/targets"),
    (to(ANN, "10", target(BOB, amount="10.01"), target(CAT, remaining=True)), "/targets"),
    (to(ANN, "10", target(BOB, "50%"), target(CAT, "60%"), target(CAT, remaining=True)), "/targets"),
    (
        to(ANN, "10", target(BOB, remaining=True), target(CAT, "1%"), target(CAT, remaining=True)),
        "/targets/2/remaining",
    ),
    (of(ANN, "10", source(BOB, remaining=True), source(CAT, remaining=True)), "/sources/1/remaining"),
    (to(ANN, "10", target(BOB, remaining=True), target(CAT, amount="0")), "/targets/1/amount"),
    (to(ANN, "10", target(BOB, remaining=True), target(CAT, amount="-1")), "/targets/1/amount"),
    (to(ANN, "10", target(BOB, remaining=True), target(CAT, amount="0.004")), "/targets/1/amount"),
    (to(ANN, "10", target(BOB, remaining=True), target(CAT, amount="x")), "/targets/1/amount"),
    (to(ANN, "1", target(BOB, amount="0.335"), target(CAT, amount="0.335"), target(CAT, amount="0.33")), "/targets"),
    (of(BOB, "10", source(ANN, max="0"), source(CAT)), "/sources/0/max"),
    (of(BOB, "10", source(ANN, "60%"), source(CAT, "50%")), "/sources"),
    (of(BOB, "10", source(ANN, "60%"), source(CAT, max="3.99")), "/sources"),
    (of(BOB, "10", source(ANN, "60%")), "/sources"),
    (to(ANN, "0", target(BOB, "100%")), "/amount"),
    (to(ANN, "0.004", target(BOB, "100%")), "/amount"),
    (to(ANN, "10", target(BOB, "100%") | {"amout": "1"}), "/targets/0/amout"),
    (to(ANN, "10", {"share": "100%"}), "/targets/0/target_account_id"),
    (to(ANN, "10", target(BOB, "100%"), hold={"expires_in": 0}), "/hold/expires_in"),
    (to(ANN, "10", target(BOB, "100%"), final=True), "/final"),
]

# A body, the problem, and some of its facts.
REFUSED: list[tuple[Body, int, str, dict[str, Any]]] = [
    (to(ANN, "10", target(BOB, "50%"), target(ANN, "50%")), 422, "same-account", {"account_id": ANN}),
    (of(ANN, "10", source(BOB), source(ANN)), 422, "same-account", {"account_id": ANN}),
    (
        to(ANN, "10", target(BOB, "50%"), target(YEN, "50%")),
        422,
        "currency-mismatch",
        {"source_currency": "USD", "target_currency": "JPY"},
    ),
    (
        to(ANN, "10", target(BOB, "50%"), target(MISSING, "50%")),
        404,
        "account-not-found",
        {"account_id": MISSING, "pointer": "/targets/1/target_account_id"},
    ),
    (
        of(MISSING, "10", source(ANN)),
        404,
        "account-not-found",
        {"account_id": MISSING, "pointer": "/target_account_id"},
    ),
    (to(ANN, "10", target(BOB, amount="10"), target(CLOSED, remaining=True)), 409, "account-closed", {}),
    (of(BOB, "10", source(ANN), source(FROZEN)), 409, "account-frozen", {"account_id": FROZEN}),
    (
        to(ANN, "100.01", target(BOB, "50%"), target(CAT, "50%")),
        409,
        "insufficient-funds",
        {"account_id": ANN, "available": "100.00", "required": "100.01"},
    ),
    (
        of(CAT, "200", source(ANN, "50%"), source(BOB, "50%")),
        409,
        "insufficient-funds",
        {"account_id": BOB, "available": "5.00", "required": "100.00"},
    ),
    (
        of(CAT, "120", source(ANN), source(BOB, max="20")),
        409,
        "insufficient-funds",
        {"available": "105.00", "required": "120.00", "missing": "15.00", "currency": "USD"},
    ),
    (
        to(ANN, "11", target(FULL, amount="6"), target(FULL, amount="5")),
        409,
        "balance-limit-exceeded",
        {"account_id": FULL, "balance": "6.00"},
    ),
]


@pytest.fixture(scope="module")
def accounts(till: Till) -> dict[int, int]:
    """The accounts that the table stands for, by that number."""
    found = {
        ANN: till.open("100"),
        BOB: till.open("5"),
        CAT: till.open(),
        YEN: till.open(currency="JPY"),
        CLOSED: till.open(),
        FROZEN: till.open("5"),
        FULL: till.open(max_balance="10"),
    }
    till.change(found[CLOSED], status="closed")
    till.change(found[FROZEN], status="frozen")
    return found


def filled(value: Any, accounts: dict[int, int]) -> Any:
    if isinstance(value, dict):
        return {
            name: accounts.get(one, one) if name.endswith("account_id") else filled(one, accounts)
            for name, one in value.items()
        }
    return [filled(one, accounts) for one in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("body", "pointer"), INVALID)
def test_a_split_that_cannot_be_right_is_invalid(
    till: Till, accounts: dict[int, int], body: Body, pointer: str
) -> None:
    before = till.account(accounts[ANN])
    sent = filled(body, accounts)
    answer = till.post("/transaction", sent)
    assert (answer.status, answer.body["code"]) == (422, "validation-failed"), answer
    assert [one["pointer"] for one in answer.body["errors"]] == [pointer]
    member = till.batch(sent)
    wrong = member.body.get("cause", member.body)
    assert (wrong["code"], [one["pointer"] for one in wrong["errors"]]) == (
        "validation-failed",
        [f"/transactions/0{pointer}"],
    )
    assert till.account(accounts[ANN]) == before


@pytest.mark.parametrize(("body", "status", "code", "facts"), REFUSED)
def test_a_split_is_refused_as_a_whole(
    till: Till, accounts: dict[int, int], body: Body, status: int, code: str, facts: dict[str, Any]
) -> None:
    before = till.account(accounts[ANN])
    answer = till.post("/transaction", filled(body, accounts))
    assert (answer.status, answer.body["code"]) == (status, code), answer
    assert filled(facts, accounts).items() <= answer.body.items()
    assert ("account_id" in answer.body) == ("missing" not in answer.body and code != "currency-mismatch")
    assert till.account(accounts[ANN]) == before


def test_an_account_may_have_several_legs_and_there_may_be_a_hundred(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    answer = till.post("/transaction", to(ann, "1", *[target(bob, "1/100") for _ in range(100)]))
    assert answer.status == 201
    assert [one["transaction"]["amount"] for one in answer.body["results"]] == ["0.01"] * 100
    assert till.money(bob).balance == "1.00"
