"""Splits over HTTP: one amount in several transactions, whichever way it is asked for."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.service import Answer
from tests.support.till import Till, found, made, transfer


def to(source: int | None, amount: str, *targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body of a split from one account to several."""
    return {"source_account_id": source, "amount": amount, "targets": targets, **more}


def of(target: int | None, amount: str, *sources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body of a split from several accounts to one."""
    return {"sources": sources, "target_account_id": target, "amount": amount, **more}


def target(account_id: int, share: str | None = None, **part: Any) -> dict[str, Any]:
    return {"target_account_id": account_id} | ({} if share is None else {"share": share}) | part


def source(account_id: int, share: str | None = None, **part: Any) -> dict[str, Any]:
    return {"source_account_id": account_id} | ({} if share is None else {"share": share}) | part


def transactions(answer: Answer) -> list[dict[str, Any]]:
    return [one["transaction"] for one in answer.body["results"] if "transaction" in one]


def amounts(answer: Answer) -> list[str]:
    return [(one.get("transaction") or one["left_out"])["amount"] for one in answer.body["results"]]


def test_a_split_is_a_group_of_transactions(till: Till) -> None:
    buyer, seller, fees = till.open("100"), till.open(), till.open()
    body = to(buyer, "10", target(fees, "2.9%"), target(fees, amount="0.30"), target(seller, remaining=True))
    answer = till.post("/transaction", body | {"metadata": {"order": "17"}})
    group = made(answer)["group_id"]
    assert answer.headers["Location"] == f"/split/{group}"
    assert amounts(answer) == ["0.29", "0.30", "9.41"]
    for one in transactions(answer):
        assert (one["kind"], one["group_id"], one["idempotency_key"]) == ("transfer", group, None)
        assert one["metadata"] == {"order": "17"}
        assert till.answered(one["id"]) == one
    assert [till.money(one).balance for one in (buyer, seller, fees)] == ["90.00", "9.41", "0.59"]
    read = found(till.call("GET", f"/split/{group}"))
    assert read == {
        "results": [{"transaction": till.transaction(one["id"])} for one in transactions(answer)],
        "group_id": group,
    }


def test_a_leg_that_comes_to_nothing_is_left_out_and_shown(till: Till) -> None:
    wallet, ann, bob = till.open(), till.open("100"), till.open()
    answer = till.post("/transaction", of(bob, "10", source(wallet, max="5"), source(ann)))
    group = made(answer)["group_id"]
    left_out, other = answer.body["results"]
    assert left_out == {
        "left_out": {"source_account_id": wallet, "target_account_id": bob, "amount": "0.00", "currency": "USD"}
    }
    assert found(till.call("GET", f"/split/{group}"))["results"] == [
        {"transaction": till.transaction(other["transaction"]["id"])}
    ]


def test_a_leg_that_is_left_out_shows_names_whoever_asked_by_them_and_under_its_key_too(till: Till) -> None:
    name, key = f"wallet:{uuid4()}", str(uuid4())
    ann, wallet = till.open("100"), till.open(name=name)
    bodies = [of(ann, amount, source(wallet, max="5"), source(till.open("10"))) for amount in ("10", "0.01")]
    answers = [till.post("/transaction", bodies[0], Idempotency_Key=key) for _ in range(2)]
    assert answers[0].body == answers[1].body
    left_out = answers[0].body["results"][0]["left_out"]
    assert (left_out["source"], "target" in left_out) == (name, False)
    members = [till.batch(bodies[1], Idempotency_Key=f"{key}-batch").body for _ in range(2)]
    assert members[0] == members[1]
    assert members[0]["results"][0]["results"][0]["left_out"]["source"] == name


def test_the_same_key_gives_the_same_answer(till: Till) -> None:
    ann, bob, cat = till.open("100"), till.open(), till.open()
    key = str(uuid4())
    body = to(ann, "0.01", target(bob, "1/2"), target(cat, "1/2"))
    first = till.post("/transaction", body, Idempotency_Key=key)
    made(first)
    made(till.transfer(ann, bob, "50"))
    again = till.post("/transaction", body, Idempotency_Key=key)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "11"}, "amount"),
        ({"targets": 1}, "targets"),
        ({"targets": "share"}, "targets/0/share"),
        ({"hold": {}}, "hold"),
        ({"metadata": {"a": "b"}}, "metadata"),
    ],
)
def test_under_one_key_the_first_field_that_differs_is_named(till: Till, change: dict[str, Any], field: str) -> None:
    ann, bob, cat = till.open("100"), till.open(), till.open()
    key = str(uuid4())
    body = to(ann, "10", target(bob, "1/2"), target(cat, remaining=True))
    made(till.post("/transaction", body, Idempotency_Key=key))
    others = {1: [target(cat, remaining=True)], "share": [target(bob, "50%"), target(cat, remaining=True)]}
    changed = body | {name: others.get(value, value) if name == "targets" else value for name, value in change.items()}
    answer = till.post("/transaction", changed, Idempotency_Key=key)
    assert (answer.status, answer.body["code"], answer.body["field"]) == (422, "idempotency-key-reused", field)


def test_holds_are_captured_together(till: Till) -> None:
    ann, bob, cat = till.open("100"), till.open(), till.open()
    answer = till.post("/transaction", to(ann, "10", target(bob, "1/3"), target(cat, remaining=True), hold={}))
    group = made(answer)["group_id"]
    assert [one["status"] for one in transactions(answer)] == ["held", "held"]
    assert len({one["expires_at"] for one in transactions(answer)}) == 1
    assert till.money(ann) == ("100.00", "10.00", "90.00")
    key = str(uuid4())
    captured = till.post(f"/split/{group}/capture", {"metadata": {"parcel": "1"}}, Idempotency_Key=key)
    assert made(captured)["group_id"] != group
    assert [one["parent_id"] for one in transactions(captured)] == [one["id"] for one in transactions(answer)]
    assert [one["metadata"] for one in transactions(captured)] == [{"parcel": "1"}] * 2
    assert [till.money(one).balance for one in (ann, bob, cat)] == ["90.00", "3.33", "6.67"]
    assert (
        till.post(f"/split/{group}/capture", {"metadata": {"parcel": "1"}}, Idempotency_Key=key).body == captured.body
    )
    read = found(till.call("GET", f"/split/{group}"))
    assert [one["transaction"]["status"] for one in read["results"]] == ["captured", "captured"]


def test_holds_are_voided_together(till: Till) -> None:
    ann, bob, cat = till.open("4"), till.open("100"), till.open()
    body = of(None, "10", source(ann), source(bob), hold={"expires_in": 60}) | {"metadata": {"order": "1"}}
    group = made(till.post("/transaction", body))["group_id"]
    assert (till.money(ann).held, till.money(bob).held, till.money(cat).held) == ("4.00", "6.00", "0.00")
    assert amounts(till.post(f"/split/{group}/void?dry_run=true")) == ["4.00", "6.00"]
    made(till.post(f"/split/{group}/void"))
    assert (till.money(ann).held, till.money(bob).held) == ("0.00", "0.00")


def test_a_split_of_which_one_hold_was_ended_alone_is_ended_one_by_one(till: Till) -> None:
    ann, bob, cat = till.open("100"), till.open(), till.open()
    body = to(ann, "10", target(bob, "50%"), target(cat, "50%"), hold={})
    answer = till.post("/transaction", body)
    first, second = transactions(answer)
    made(till.capture(first["id"], "1"))
    refused = till.post(f"/split/{answer.body['group_id']}/capture")
    assert (refused.status, refused.body["code"], refused.body["index"]) == (409, "batch-refused", 0)
    assert refused.body["cause"]["code"] == "hold-not-open"
    assert till.status(second["id"]) == "held"
    made(till.capture(second["id"]))


def test_what_was_moved_is_no_hold_to_be_captured(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    group = made(till.post("/transaction", to(ann, "10", target(bob, "100%"))))["group_id"]
    refused = till.post(f"/split/{group}/capture")
    assert (refused.status, refused.body["cause"]["code"]) == (409, "not-a-hold")


@pytest.mark.parametrize("split_id", ["999999999", "0", "abc", "1.5"])
def test_a_split_that_is_not_there_is_not_found(till: Till, split_id: str) -> None:
    asked = [("GET", ""), ("POST", "/capture"), ("POST", "/void")]
    for method, end in asked:
        answer = till.call(method, f"/split/{split_id}{end}")
        assert (answer.status, answer.body["code"]) == (404, "split-not-found")


def test_the_group_of_a_batch_is_no_split(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    group = made(till.batch(transfer(ann, bob, "1")))["group_id"]
    assert till.call("GET", f"/split/{group}").status == 404


def test_a_split_is_a_dry_run_like_any_other_request(till: Till) -> None:
    ann, bob, cat = till.open("100"), till.open(), till.open()
    answer = till.post("/transaction?dry_run=true", to(ann, "0.01", target(bob, "1/2"), target(cat, "1/2")))
    assert (answer.status, amounts(answer), answer.body["group_id"]) == (200, ["0.01", "0.00"], None)
    assert [one["id"] for one in transactions(answer)] == [None]
    assert "Location" not in answer.headers
    assert till.money(ann).balance == "100.00"


def test_a_queued_split_is_made_in_the_background(till: Till) -> None:
    ann, bob, cat = till.open("100"), till.open(), till.open()
    key = str(uuid4())
    body = to(ann, "10", target(bob, "1/3"), target(cat, remaining=True), metadata={"order": "1"})
    queued = till.enqueue("/transaction", body, Idempotency_Key=key)
    assert queued["targets"] == [*body["targets"]]
    assert (queued["kind"], queued["amount"], queued["currency"]) == ("transfer", "10.00", "USD")
    decided = till.decided(queued["id"])
    assert (decided["status"], decided["amount"], decided["idempotency_key"]) == ("posted", "3.33", key)
    read = found(till.call("GET", f"/split/{decided['group_id']}"))
    assert [one["transaction"]["amount"] for one in read["results"]] == ["3.33", "6.67"]
    assert read["results"][0]["transaction"] == decided
    assert till.post("/transaction", body, Idempotency_Key=key).body == queued


def test_a_queued_split_may_be_declined(till: Till) -> None:
    ann, bob = till.open("1"), till.open()
    queued = till.enqueue("/transaction", of(bob, "10", source(ann, max="1"), source(ann)))
    declined = till.decided(queued["id"])
    assert (declined["status"], declined["problem"]["code"]) == ("declined", "insufficient-funds")
    assert declined["problem"]["missing"] == "9.00"
    assert declined["sources"] == [source(ann, max="1"), source(ann)]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_split_is_a_member_of_a_batch(till: Till, *, atomic: bool) -> None:
    ann, bob, cat = till.open("100"), till.open(), till.open()
    members = [
        transfer(None, ann, "5"),
        to(ann, "0.03", target(bob, "1%"), target(cat, remaining=True), idempotency_key=str(uuid4())),
        to(None, "4", target(bob, "50%"), target(cat, "50%")),
        of(None, "2", source(bob, max="1"), source(cat)),
    ]
    key = str(uuid4())
    answer = till.batch(*members, atomic=atomic, Idempotency_Key=key)
    assert answer.status == (201 if atomic else 200)
    single, *splits = answer.body["results"]
    assert single["transaction"]["group_id"] == answer.body.get("group_id")
    groups = {one["group_id"] for one in splits}
    assert len(groups | {answer.body.get("group_id")}) == 4
    assert [next(iter(leg)) for leg in splits[0]["results"]] == ["left_out", "transaction"]
    kinds = [{leg["transaction"]["kind"] for leg in one["results"] if "transaction" in leg} for one in splits]
    assert kinds == [{"transfer"}, {"payment"}, {"withdrawal"}]
    for one in splits:
        assert {leg["transaction"]["group_id"] for leg in one["results"] if "transaction" in leg} == {one["group_id"]}
    again = till.batch(*members, atomic=atomic, Idempotency_Key=key)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (answer.body, "true")
    alone = till.batch(members[1])
    assert alone.body["results"][0] == splits[0]


def test_a_refused_split_refuses_an_atomic_batch(till: Till) -> None:
    ann, bob = till.open("1"), till.open()
    members = [transfer(None, ann, "5"), to(ann, "7", target(bob, "50%"), target(999_999_999, "50%"))]
    refused = till.batch(*members)
    assert (refused.status, refused.body["code"], refused.body["index"]) == (409, "batch-refused", 1)
    assert refused.body["cause"]["pointer"] == "/transactions/1/targets/1/target_account_id"
    assert till.money(ann).balance == "1.00"
