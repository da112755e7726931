"""A till: short words for what the tests of the API ask of it all the time."""

from typing import Any, NamedTuple

from tests.support.service import Answer, Running
from tests.support.waiting import wait_until


class Money(NamedTuple):
    """What an account has."""

    balance: str
    held: str
    available: str


READ_ONLY = {"remaining", "refunded"}  # what only reading a transaction says


class Till:
    """A running service, asked in the words of its business. Each word gives the answer, whatever it is."""

    def __init__(self, service: Running) -> None:
        self.port = service.port
        self.call = service.call

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """One POST; without a body if there is none."""
        return self.call("POST", path, body, **headers)

    def open(self, balance: str | None = None, **fields: Any) -> int:
        """A new account with so much money, and its id."""
        account_id: int = made(self.post("/account", {"email": "ann@example.com"} | fields))["id"]
        if balance is not None:
            made(self.pay(account_id, balance))
        return account_id

    def account(self, account_id: int) -> dict[str, Any]:
        """The account as it stands."""
        return found(self.call("GET", f"/account/{account_id}"))

    def money(self, account_id: int) -> Money:
        """What it has."""
        account = self.account(account_id)
        return Money(account["balance"], account["held"], account["available"])

    def etag(self, account_id: int) -> str:
        """What If-Match wants to know."""
        return self.call("GET", f"/account/{account_id}").headers["ETag"]

    def transaction(self, transaction_id: int) -> dict[str, Any]:
        """The transaction as it stands."""
        return found(self.call("GET", f"/transaction/{transaction_id}"))

    def answered(self, transaction_id: int) -> dict[str, Any]:
        """The same without what no answer to a POST says."""
        unsaid = READ_ONLY | {"effective_on"}  # unless a caller has given it
        return {name: value for name, value in self.transaction(transaction_id).items() if name not in unsaid}

    def status(self, transaction_id: int) -> str:
        """Its status."""
        return str(self.transaction(transaction_id)["status"])

    def pay(self, account_id: int, amount: str, **headers: str) -> Answer:
        """Money in."""
        return self.post(f"/account/{account_id}/payment", {"amount": amount}, **headers)

    def withdraw(self, account_id: int, amount: str, **headers: str) -> Answer:
        """Money out."""
        return self.post(f"/account/{account_id}/withdrawal", {"amount": amount}, **headers)

    def transfer(self, source: int, target: int, amount: str, **headers: str) -> Answer:
        """Money across."""
        return self.post("/transaction", transfer(source, target, amount), **headers)

    def hold(self, source: int, target: int | None, amount: str, **terms: int) -> Answer:
        """Money that waits."""
        return self.post("/transaction", transfer(source, target, amount) | {"hold": terms})

    def capture(self, hold_id: int, amount: str | None = None, **fields: Any) -> Answer:
        """Money that has waited enough: all of it, if no amount is given."""
        return self.post(f"/transaction/{hold_id}/capture", fields | ({} if amount is None else {"amount": amount}))

    def void(self, hold_id: int) -> Answer:
        """Money that has waited for nothing."""
        return self.post(f"/transaction/{hold_id}/void")

    def cancel(self, transaction_id: int | str, **headers: str) -> Answer:
        """What is queued, called off."""
        return self.call("DELETE", f"/transaction/{transaction_id}", **headers)

    def refund(self, transaction_id: int, amount: str | None = None, **headers: str) -> Answer:
        """Money back: all that is left, if no amount is given."""
        return self.post(
            f"/transaction/{transaction_id}/refund", None if amount is None else {"amount": amount}, **headers
        )

    def change(self, account_id: int, headers: dict[str, str] | None = None, /, **fields: Any) -> Answer:
        """Other terms for an account."""
        return self.call("PATCH", f"/account/{account_id}", fields, **headers or {})

    def batch(self, *members: dict[str, Any], atomic: bool | None = None, **headers: str) -> Answer:
        """Many at once."""
        body = {"transactions": members} | ({} if atomic is None else {"atomic": atomic})
        return self.post("/transaction/batch", body, **headers)

    def enqueue(self, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """What is queued."""
        answer = self.post(path, body, Prefer="respond-async", **headers)
        assert answer.status == 202, answer
        assert answer.body["status"] == "queued", answer
        queued: dict[str, Any] = answer.body
        return queued

    def decided(self, transaction_id: int) -> dict[str, Any]:
        """The transaction, once it is not queued any more."""
        wait_until(lambda: self.status(transaction_id) != "queued", f"transaction {transaction_id} is decided")
        return self.transaction(transaction_id)


def transfer(source: int | None, target: int | None, amount: Any) -> dict[str, Any]:
    """The body of a transfer; in a batch, a side that is None is the world outside."""
    return {"source_account_id": source, "target_account_id": target, "amount": amount}


def made(answer: Answer) -> dict[str, Any]:
    """The body of a 201."""
    assert answer.status == 201, answer
    body: dict[str, Any] = answer.body
    return body


def found(answer: Answer) -> dict[str, Any]:
    """The body of a 200."""
    assert answer.status == 200, answer
    body: dict[str, Any] = answer.body
    return body
