"""A Hypothesis state machine drives the running service and a small model side by side."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.service import Answer, Running

CENT = Decimal("0.01")
AMOUNTS = st.decimals("0.001", "120", places=3)


class Model:
    """What the service promises, in ten lines."""

    def __init__(self) -> None:
        self.balances: dict[int, Decimal] = {}
        self.versions: dict[int, int] = {}
        self.limits: dict[int, tuple[Decimal, Decimal]] = {}

    def move(self, source: int | None, target: int | None, sent: Decimal) -> str | None:
        """Move money, or say the code of the refusal."""
        amount = sent.quantize(CENT, ROUND_HALF_EVEN)
        if source == target:
            return "same-account"
        if not amount:
            return "validation-failed"
        if source is not None and self.balances[source] - amount < self.limits[source][0]:
            return "insufficient-funds"
        if target is not None and self.balances[target] + amount > self.limits[target][1]:
            return "balance-limit-exceeded"
        for account_id, change in ((source, -amount), (target, amount)):
            if account_id is not None:
                self.balances[account_id] += change
                self.versions[account_id] += 1
        return None


class Wallets(RuleBasedStateMachine):
    """Commands to both, in random order; every answer and every account must agree."""

    service: Running
    accounts = Bundle("accounts")
    keyed = Bundle("keyed")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    @rule(target=accounts, floor=st.sampled_from(["0", "-50"]), ceiling=st.sampled_from(["100", "1000"]))
    def open_account(self, floor: str, ceiling: str) -> int:
        body = {"email": "ann@example.com", "min_balance": floor, "max_balance": ceiling}
        account_id: int = self.service.call("POST", "/account", body).body["id"]
        self.model.balances[account_id] = Decimal(0)
        self.model.versions[account_id] = 0
        self.model.limits[account_id] = (Decimal(floor), Decimal(ceiling))
        return account_id

    @rule(account_id=accounts, amount=AMOUNTS)
    def pay(self, account_id: int, amount: Decimal) -> None:
        answer = self.service.call("POST", f"/account/{account_id}/payment", {"amount": str(amount)})
        agree(answer, self.model.move(None, account_id, amount))

    @rule(account_id=accounts, amount=AMOUNTS)
    def withdraw(self, account_id: int, amount: Decimal) -> None:
        answer = self.service.call("POST", f"/account/{account_id}/withdrawal", {"amount": str(amount)})
        agree(answer, self.model.move(account_id, None, amount))

    @rule(payer=accounts, payee=accounts, amount=AMOUNTS)
    def transfer(self, payer: int, payee: int, amount: Decimal) -> None:
        body = {"source_account_id": payer, "target_account_id": payee, "amount": str(amount)}
        agree(self.service.call("POST", "/transaction", body), self.model.move(payer, payee, amount))

    @rule(target=keyed, payer=accounts, payee=accounts, amount=AMOUNTS)
    def transfer_with_a_key(self, payer: int, payee: int, amount: Decimal) -> tuple[dict[str, Any], str, Answer]:
        key = str(uuid4())  # not drawn: Hypothesis repeats what it draws, and the service never forgets a key
        body = {"source_account_id": payer, "target_account_id": payee, "amount": str(amount)}
        answer = self.service.call("POST", "/transaction", body, Idempotency_Key=key)
        agree(answer, self.model.move(payer, payee, amount))
        return body, key, answer

    @rule(sent=keyed)
    def repeat_with_the_key(self, sent: tuple[dict[str, Any], str, Answer]) -> None:
        body, key, first = sent
        again = self.service.call("POST", "/transaction", body, Idempotency_Key=key)
        assert (again.status, again.body) == (first.status, first.body)

    @invariant()
    def every_account_agrees(self) -> None:
        for account_id, balance in self.model.balances.items():
            account = self.service.call("GET", f"/account/{account_id}").body
            assert Decimal(account["balance"]) == balance
            assert account["version"] == self.model.versions[account_id]
            assert Decimal(account["available"]) == balance - self.model.limits[account_id][0]


def agree(answer: Answer, refusal: str | None) -> None:
    if refusal is None:
        assert answer.status == 201, answer
    else:
        assert answer.body["code"] == refusal, answer


@pytest.fixture
def wallets(service: Running) -> type[Wallets]:
    class WalletsOfThisService(Wallets):
        pass

    WalletsOfThisService.service = service
    return WalletsOfThisService


def test_the_service_and_the_model_agree(wallets: type[Wallets]) -> None:
    bounded = settings(
        max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    run_state_machine_as_test(wallets, settings=bounded)
