"""What a caller can get wrong over HTTP: each gets its problem document, and changes nothing."""

from typing import Any

import pytest

from koshel.http.problems import PROBLEMS
from tests.http.conftest import OpenAccount, Send
from tests.support.service import Answer, Running

JSON = {"Content-Type": "application/json"}
HUGE = 2**63


def assert_problem(answer: Answer, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-Id"]
    assert problem["code"] == code, problem
    assert problem["type"] == f"/problem/{code}"
    assert problem["status"] == answer.status == PROBLEMS[code].status
    assert problem["title"] == PROBLEMS[code].title
    assert problem["retryable"] is PROBLEMS[code].retryable
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"", "malformed-json", None),
        (b"{", "malformed-json", None),
        (b"amount=1", "malformed-json", None),
        (b'{"amount": NaN}', "malformed-json", None),
        (b'{"amount": Infinity}', "malformed-json", None),
        (b'{"amount": 01}', "malformed-json", None),
        (b'{"amount": 1} 2', "malformed-json", None),
        (b'\xff\xfe{"amount": 1}', "malformed-json", None),
        (b'{"amount": 1, "metadata": {"a": "\xff"}}', "malformed-json", None),
        (b"[]", "validation-failed", ""),
        (b"null", "validation-failed", ""),
        (b"{}", "validation-failed", "/amount"),
        (b'{"amout": 1}', "validation-failed", "/amout"),
        (b'{"amount": 1, "account_id": 7}', "validation-failed", "/account_id"),
        (b'{"amount": null}', "validation-failed", "/amount"),
        (b'{"amount": true}', "validation-failed", "/amount"),
        (b'{"amount": []}', "validation-failed", "/amount"),
        (b'{"amount": ""}', "validation-failed", "/amount"),
        (b'{"amount": "NaN"}', "validation-failed", "/amount"),
        (b'{"amount": "Infinity"}', "validation-failed", "/amount"),
        (b'{"amount": "-Infinity"}', "validation-failed", "/amount"),
        (b'{"amount": "1_000"}', "validation-failed", "/amount"),
        (b'{"amount": " 1"}', "validation-failed", "/amount"),
        (b'{"amount": "1,50"}', "validation-failed", "/amount"),
        (b'{"amount": "1e3"}', "validation-failed", "/amount"),
        (b'{"amount": "0x10"}', "validation-failed", "/amount"),
        (b'{"amount": "\\u0661"}', "validation-failed", "/amount"),
        (b'{"amount": 0}', "validation-failed", "/amount"),
        (b'{"amount": -0}', "validation-failed", "/amount"),
        (b'{"amount": "-0.00"}', "validation-failed", "/amount"),
        (b'{"amount": -1}', "validation-failed", "/amount"),
        (b'{"amount": 1e400}', "validation-failed", "/amount"),
        (b'{"amount": 1e-400}', "validation-failed", "/amount"),
        (b'{"amount": 1e999999999}', "validation-failed", "/amount"),
        (b'{"amount": "0.004"}', "validation-failed", "/amount"),
        (b'{"amount": ' + b"1" * 40 + b"}", "validation-failed", "/amount"),
        (b'{"amount": 1000000000000000000}', "validation-failed", "/amount"),
        (b'{"amount": "0.' + b"1" * 65 + b'"}', "validation-failed", "/amount"),
        (b'{"amount": "999999999999999999.99999999999999"}', "validation-failed", "/amount"),
        (b'{"amount": 0e-100}', "validation-failed", "/amount"),
        (b'{"amount": 1, "hold": {}}', "validation-failed", "/hold"),
        (b'{"amount": 1, "metadata": []}', "validation-failed", "/metadata"),
        (b'{"amount": 1, "metadata": {"a": 1}}', "validation-failed", "/metadata/a"),
        (b'{"amount": 1, "metadata": {"a": "\\u0000"}}', "validation-failed", "/metadata/a"),
        (b'{"amount": 1, "metadata": {"": "b"}}', "validation-failed", "/metadata/"),
        (b'{"amount": 1, "metadata": {"a": {"b": "c"}}}', "validation-failed", "/metadata/a"),
        (b'{"amount": 1, "metadata": {"a": null}}', "validation-failed", "/metadata/a"),
        (b'{"amount": 1, "metadata": {"' + b"k" * 41 + b'": ""}}', "validation-failed", "/metadata/" + "k" * 41),
        (b'{"amount": 1, "metadata": {"a": "' + b"b" * 501 + b'"}}', "validation-failed", "/metadata/a"),
    ],
)
def test_a_body_that_cannot_be_used_changes_nothing(
    service: Running, send: Send, open_account: OpenAccount, body: bytes, code: str, pointer: str | None
) -> None:
    account_id = open_account("1")
    answer = send("POST", f"/account/{account_id}/payment", body, JSON | {"Content-Length": str(len(body))})
    problem = assert_problem(answer, code)
    if pointer is not None:
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    account = service.call("GET", f"/account/{account_id}").body
    assert (account["balance"], account["version"]) == ("1.00", 1)


NUMBER = "must be a number such as 12.50, or the same as a string"


@pytest.mark.parametrize(
    "sent", ['"+1"', '"1,5"', "null", '"1e5"', '" 1"', '""', '"ten"', "true", "[]", "{}", "1e99999"]
)
def test_what_is_no_number_is_told_how_one_looks(send: Send, open_account: OpenAccount, sent: str) -> None:
    body = f'{{"amount": {sent}}}'.encode()
    answer = send("POST", f"/account/{open_account()}/payment", body)
    assert assert_problem(answer, "validation-failed")["detail"] == f"/amount: {NUMBER}."


@pytest.mark.parametrize("email", ["ann", "ann@", "a@[1.2]", "a\x00nn@example.com", "Ann <ann@example.com>"])
def test_what_is_no_email_is_told_how_one_looks(service: Running, open_account: OpenAccount, email: str) -> None:
    for method, path in (("POST", "/account"), ("PATCH", f"/account/{open_account()}")):
        problem = assert_problem(service.call(method, path, {"email": email}), "validation-failed")
        assert problem["detail"] == "/email: must be an email address such as ann@example.com."


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"email": "ann"}, "/email"),
        ({"email": "ann@"}, "/email"),
        ({"email": "a\x00nn@example.com"}, "/email"),
        ({"email": "a" * 300 + "@example.com"}, "/email"),
        ({"email": 7}, "/email"),
        ({"currency": "usd"}, "/currency"),
        ({"currency": ""}, "/currency"),
        ({"currency": None}, "/currency"),
        ({"min_balance": "1"}, "/min_balance"),
        ({"min_balance": None}, "/min_balance"),
        ({"max_balance": "-1"}, "/max_balance"),
        ({"max_balance": "x"}, "/max_balance"),
        ({"max_balance": "1" * 19}, "/max_balance"),
        ({"balance": "1"}, "/balance"),
        ({"status": "frozen"}, "/status"),
        ({"metadata": {str(n): "" for n in range(51)}}, "/metadata"),
    ],
)
def test_an_account_is_not_opened_with_what_cannot_be(service: Running, fields: dict[str, Any], pointer: str) -> None:
    problem = assert_problem(
        service.call("POST", "/account", {"email": "ann@example.com"} | fields), "validation-failed"
    )
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_an_account_needs_a_known_currency(service: Running) -> None:
    answer = service.call("POST", "/account", {"email": "ann@example.com", "currency": "NOSUCH"})
    assert assert_problem(answer, "unknown-currency")["currency"] == "NOSUCH"


@pytest.mark.parametrize("text", ["0", "-1", "abc", "01", "1.0", str(HUGE), "9" * 400, "9" * 5_000, "%20", "1%00", "١"])  # noqa: RUF001
def test_a_path_that_names_no_account_or_transaction_is_not_found(send: Send, text: str) -> None:
    path = text.encode("ascii", "ignore").decode() or "%D9%A1"
    body = b'{"amount": 1}'
    headers = JSON | {"Content-Length": str(len(body))}
    assert_problem(send("GET", f"/account/{path}", headers={"Accept": "*/*"}), "account-not-found")
    assert_problem(send("POST", f"/account/{path}/payment", body, headers), "account-not-found")
    assert_problem(send("POST", f"/account/{path}/withdrawal", body, headers), "account-not-found")
    assert_problem(send("PATCH", f"/account/{path}", b"{}"), "account-not-found")
    assert_problem(send("GET", f"/transaction/{path}", headers={"Accept": "*/*"}), "transaction-not-found")
    for word in ("capture", "void", "refund"):
        assert_problem(send("POST", f"/transaction/{path}/{word}", b"{}"), "transaction-not-found")


@pytest.mark.parametrize("missing", [999_999_999, HUGE - 1])
def test_an_account_that_is_missing_is_named(service: Running, open_account: OpenAccount, missing: int) -> None:
    known = open_account("5")
    for source, target, pointer in ((missing, known, "/source_account_id"), (known, missing, "/target_account_id")):
        body = {"source_account_id": source, "target_account_id": target, "amount": "1"}
        problem = assert_problem(service.call("POST", "/transaction", body), "account-not-found")
        assert (problem["account_id"], problem["pointer"]) == (missing, pointer)
    in_path = assert_problem(service.call("GET", f"/account/{missing}"), "account-not-found")
    assert "pointer" not in in_path
    assert_problem(service.call("POST", f"/account/{missing}/payment", {"amount": 1}), "account-not-found")
    assert_problem(service.call("GET", f"/transaction/{missing}"), "transaction-not-found")


@pytest.mark.parametrize("account_id", [0, -1, HUGE, "7", 1.5, None])
def test_an_id_in_the_body_must_be_one(service: Running, open_account: OpenAccount, account_id: object) -> None:
    body = {"source_account_id": open_account("5"), "target_account_id": account_id, "amount": "1"}
    problem = assert_problem(service.call("POST", "/transaction", body), "validation-failed")
    assert problem["errors"][0]["pointer"] == "/target_account_id"


def test_refusals_carry_their_facts(service: Running, open_account: OpenAccount) -> None:
    ann, bob, yen = open_account("3.10"), open_account(max_balance="5"), open_account(currency="JPY")

    def transfer(source: int, target: int, amount: str) -> Answer:
        body = {"source_account_id": source, "target_account_id": target, "amount": amount}
        return service.call("POST", "/transaction", body)

    poor = assert_problem(transfer(ann, bob, "12.50"), "insufficient-funds")
    assert (poor["account_id"], poor["available"], poor["required"]) == (ann, "3.10", "12.50")
    assert poor["detail"] == f"Account {ann} can spend 3.10 USD, 12.50 USD is needed."
    full = assert_problem(service.call("POST", f"/account/{bob}/payment", {"amount": "6"}), "balance-limit-exceeded")
    assert (full["balance"], full["max_balance"], full["amount"]) == ("0.00", "5.00", "6.00")
    assert assert_problem(transfer(ann, ann, "1"), "same-account")["account_id"] == ann
    mismatch = assert_problem(transfer(ann, yen, "1"), "currency-mismatch")
    assert (mismatch["source_currency"], mismatch["target_currency"]) == ("USD", "JPY")
    assert [service.call("GET", f"/account/{i}").body["balance"] for i in (ann, bob, yen)] == ["3.10", "0.00", "0"]


@pytest.mark.parametrize(
    ("method", "path", "code", "allow"),
    [
        ("POST", "/", "method-not-allowed", "GET, HEAD"),
        ("GET", "/accounts", "not-found", None),
        ("POST", "/account/", "not-found", None),
        ("GET", "/account/1/payment/2", "not-found", None),
        ("GET", "/problem/no-such", "not-found", None),
        ("DELETE", "/account/1", "method-not-allowed", "GET, HEAD, PATCH, PUT"),
        ("POST", "/account/1", "method-not-allowed", "GET, HEAD, PATCH, PUT"),
        ("GET", "/transaction/batch", "method-not-allowed", "POST"),
        ("PUT", "/transaction/1", "method-not-allowed", "DELETE, GET, HEAD, PATCH"),
        ("GET", "/transaction/1/capture", "method-not-allowed", "POST"),
        ("PATCH", "/transaction/1/refund", "method-not-allowed", "POST"),
        ("POST", "/transaction/1/expiry", "not-found", None),
        ("POST", "/transaction/batch/void/1", "not-found", None),
        ("POST", "/transaction//void", "not-found", None),
        ("GET", "/health", "not-found", None),
        ("POST", "/health/queue", "method-not-allowed", "GET, HEAD"),
        ("DELETE", "/account", "method-not-allowed", "GET, HEAD, POST"),
        ("GET", "/account/1/payment", "method-not-allowed", "POST"),
        ("PUT", "/transaction", "method-not-allowed", "GET, HEAD, POST"),
        ("POST", "/health/live", "method-not-allowed", "GET, HEAD"),
        ("PROPFIND", "/transaction", "method-not-allowed", "GET, HEAD, POST"),
        ("BREW", "/transaction", "malformed-request", None),
    ],
)
def test_what_is_not_there_is_a_problem_too(send: Send, method: str, path: str, code: str, allow: str | None) -> None:
    answer = send(method, path, headers={"Accept": "*/*", "Content-Length": "0"})
    assert_problem(answer, code)
    assert answer.headers.get("Allow") == allow


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "x"]
)
def test_a_body_must_claim_to_be_json(send: Send, open_account: OpenAccount, media_type: str | None) -> None:
    body = b'{"amount": 1}'
    headers = {"Content-Length": str(len(body))} | ({} if media_type is None else {"Content-Type": media_type})
    assert_problem(send("POST", f"/account/{open_account()}/payment", body, headers), "unsupported-media-type")


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_may_be_claimed_in_any_of_its_forms(send: Send, open_account: OpenAccount, media_type: str) -> None:
    body = b'{"amount": 1}'
    headers = {"Content-Length": str(len(body)), "Content-Type": media_type}
    assert send("POST", f"/account/{open_account()}/payment", body, headers).status == 201
