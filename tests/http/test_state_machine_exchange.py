"""The state machine with exchanges: dollars as in the first one, an account in euros, and money that goes both ways."""

from copy import deepcopy
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from koshel.core.model import Refusal
from tests.http.test_state_machine import CHANGES, Wallets, outcome_of
from tests.support.till import Till
from tests.support.wallet_model import CENT, Deed, Model, Purse, Refused, Wish

AMOUNTS = st.sampled_from(["0.001", "1", "2.345", "20", "60"])
RATES = st.sampled_from(["0.001", "0.5", "0.125", "1.0625", "3"])
IN_BATCH, IN_BACKGROUND = 3, 4  # how an exchange is asked for; 0: as a dry run, else at once
ORDER = {"validation-failed": 0, **{str(refusal): place for place, refusal in enumerate(Refusal, 1)}}


class Exchanges(Wallets):
    """What an exchange takes from one model, and gives in the other."""

    def __init__(self) -> None:
        super().__init__()
        self.euros = Model()

    @initialize()
    def open_an_account_in_euros(self) -> None:
        account_id = self.till.open(currency="EUR", min_balance="-20", max_balance="150")
        self.euros.purses[account_id] = Purse(Decimal(-20), Decimal(150))

    @rule(which=st.integers(0, 99), amount=AMOUNTS, rate=RATES, comes_back=st.booleans(), how=st.integers(0, 5))
    def exchange(self, which: int, amount: str, rate: str, comes_back: bool, how: int) -> None:  # noqa: FBT001
        giving, taking = trial = deepcopy((self.euros, self.model) if comes_back else (self.model, self.euros))
        source, target = (list(model.purses)[which % len(model.purses)] for model in trial)
        given = Decimal(amount).quantize(CENT, ROUND_HALF_EVEN)
        gotten = (given * Decimal(rate)).quantize(CENT, ROUND_HALF_EVEN)
        legs = [
            outcome_of(giving.make, Wish("withdrawal", source, amount=given)),
            outcome_of(taking.make, Wish("payment", target=target, amount=gotten)),
        ]
        said = {"rate": rate} if how % 2 or gotten == 0 else {"target_amount": str(gotten)}
        body = {"source_account_id": source, "target_account_id": target, "source_amount": amount, **said}
        before, key = self.positions(), str(uuid4())
        told = [self.sent(body, how, key) for _ in range(min(how + 1, 3))]
        refusals = [leg.code for leg in legs if isinstance(leg, Refused)]
        if refusals:
            assert told[0] == (min(refusals, key=lambda code: ORDER[code]), [])
        else:
            assert told[0] == (None, [f"{given:.2f}", f"{gotten:.2f}"])
            if how:
                self.model, self.euros = (taking, giving) if comes_back else (giving, taking)
                into, out_of = ("EUR", "USD") if comes_back else ("USD", "EUR")
                now = self.positions()
                assert (now[into] - before[into], now[out_of] - before[out_of]) == (given, -gotten)
        assert all(again == told[0] for again in told)

    def sent(self, body: dict[str, Any], how: int, key: str) -> tuple[str | None, list[str]]:
        """Rehearsed, at once, in a batch, or in the background: the code of its refusal, and what both amounts are."""
        if how == IN_BACKGROUND:
            queued = self.till.enqueue("/exchange", body, Idempotency_Key=key)
            first = self.till.decided(queued["id"])
            if first["status"] == "declined":
                return first["problem"]["code"], []
            found = self.till.call("GET", f"/transaction?group_id={first['group_id']}").body["items"]
            return None, [one["amount"] for one in sorted(found, key=lambda one: int(one["id"]))]
        if how == IN_BATCH:
            answer = self.till.batch({"exchange": body}, Idempotency_Key=key)
            shown = answer.body["results"][0] if answer.status == 201 else answer.body["cause"]
        else:
            answer = self.till.post(f"/exchange{'' if how else '?dry_run=true'}", body, Idempotency_Key=key)
            shown = answer.body
        if "code" in shown:
            return shown["code"], []
        assert answer.status == (201 if how else 200), answer
        return None, [one["transaction"]["amount"] for one in shown["results"]]

    @rule(wanted=CHANGES)
    def change_euros(self, wanted: dict[str, Any]) -> None:
        (account_id,) = self.euros.purses
        done = outcome_of(self.euros.change, account_id, wanted, None)
        answer = self.till.change(account_id, {}, **wanted)
        assert answer.status == 200 if done is None else answer.body["code"] == done.code

    @rule(amount=AMOUNTS)
    def pay_euros(self, amount: str) -> None:
        (account_id,) = self.euros.purses
        done = outcome_of(self.euros.make, Wish("payment", target=account_id, amount=Decimal(amount)))
        answer = self.till.pay(account_id, amount)
        assert answer.status == 201 if isinstance(done, Deed) else answer.body["code"] == done.code

    def positions(self) -> dict[str, Decimal]:
        """What the exchange accounts have; nothing where there is none yet."""
        told = {code: self.till.call("GET", f"/account/@exchange:{code}") for code in ("USD", "EUR")}
        return {code: Decimal(one.body.get("balance", 0)) for code, one in told.items()}

    @invariant()
    def the_account_in_euros_agrees(self) -> None:
        for account_id, purse in self.euros.purses.items():
            account = self.till.account(account_id)
            assert (Decimal(account["balance"]), account["version"]) == (purse.balance, purse.version)
            assert account["status"] == purse.status


@pytest.fixture
def exchanges(till: Till) -> type[Exchanges]:
    class ExchangesOfThisService(Exchanges):
        pass

    ExchangesOfThisService.till = till
    return ExchangesOfThisService


def test_the_service_and_the_model_agree_about_exchanges(exchanges: type[Exchanges]) -> None:
    bounded = settings(
        max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    run_state_machine_as_test(exchanges, settings=bounded)
