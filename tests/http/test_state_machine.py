"""A Hypothesis state machine drives the running service and a small model side by side."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, rule, run_state_machine_as_test

from koshel.core.refunds import REFUNDABLE
from tests.support.service import Answer
from tests.support.split_end_rules import SplitEndRules
from tests.support.till import Till
from tests.support.wallet_model import Deed, Model, Purse, Refused, Wish
from tests.support.wishes import MISSING, SKETCHES, Sketch, member, request, wish_of

T = TypeVar("T")

ACCOUNTS_MAX = 4
FLOORS = st.sampled_from(["0", "-50"])
CEILINGS = st.sampled_from(["100", "1000", None])
LIMITS = st.sampled_from(
    [None, [{"per": "1d", "out": "150"}], [{"per": "7d", "out": "90", "in": "200"}, {"per": "1h", "in": "250"}]]
)
CHANGES = st.one_of(
    st.fixed_dictionaries({"limits": LIMITS}),
    st.fixed_dictionaries({"status": st.sampled_from(["open", "open", "frozen", "closed"])}),
    st.fixed_dictionaries({"min_balance": FLOORS}),
    st.fixed_dictionaries({"max_balance": CEILINGS}),
)


def agree(transaction: dict[str, Any], deed: Deed) -> None:
    told = [transaction[name] for name in ("kind", "status", "source_account_id", "target_account_id", "parent_id")]
    assert told == [deed.kind, deed.status, deed.source, deed.target, deed.parent]
    assert transaction["amount"] == f"{deed.amount:.2f}"
    assert transaction.get("reference") == deed.reference


class Wallets(SplitEndRules):
    """Requests to both, in random order; every answer and every account must agree."""

    till: Till
    keyed = Bundle("keyed")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    @initialize()
    def open_two_accounts(self) -> None:
        self.open_account("0", "1000")
        self.open_account("-50", "100")
        for account_id in self.model.purses:
            wish = Wish("payment", target=account_id, amount=Decimal(80))
            self.settled(self.till.post(*request(wish)), wish)

    @rule(floor=FLOORS, ceiling=CEILINGS)
    def open_account(self, floor: str, ceiling: str | None) -> None:
        if len(self.model.purses) < ACCOUNTS_MAX:
            name = f"wallet:{uuid4()}"
            account_id = self.till.open(min_balance=floor, max_balance=ceiling, name=name)
            self.model.purses[account_id] = Purse(Decimal(floor), None if ceiling is None else Decimal(ceiling), name)

    @rule(sketch=SKETCHES)
    def ask(self, sketch: Sketch) -> None:
        wish = wish_of(self.model, sketch)
        self.settled(self.till.post(*request(wish)), wish)

    @rule(sketch=SKETCHES)
    def ask_what_would_happen(self, sketch: Sketch) -> None:
        wish = wish_of(self.model, sketch)
        path, body = request(wish)
        answer = self.till.post(f"{path}?dry_run=true", body)
        deed = outcome_of(deepcopy(self.model).make, wish)
        if isinstance(deed, Refused):
            assert answer.body["code"] == deed.code
        else:
            assert (answer.status, answer.body["id"]) == (200, None)
            agree(answer.body, deed)

    @rule(sketch=SKETCHES, execute_at=st.sampled_from([None, "2026-01-01T00:00:00Z"]))
    def ask_for_later(self, sketch: Sketch, execute_at: str | None) -> None:
        wish = wish_of(self.model, sketch)
        path, body = request(wish)
        queued = self.till.enqueue(path, body if execute_at is None else body | {"execute_at": execute_at})
        decided = self.till.decided(queued["id"])
        deed = outcome_of(self.model.make, wish)
        if isinstance(deed, Refused):
            assert (decided["status"], decided["problem"]["code"]) == ("declined", deed.code)
            self.model.declined[queued["id"]] = wish.kind
        else:
            agree(decided, deed)
            self.model.deeds[queued["id"]] = deed

    @rule(sketch=SKETCHES)
    def ask_for_tomorrow_and_call_it_off(self, sketch: Sketch) -> None:
        wish = wish_of(self.model, sketch)
        path, body = request(wish)
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        answer = self.till.post(path, body | {"execute_at": tomorrow})
        assert answer.status == 202
        cancelled = self.till.cancel(answer.body["id"])
        assert (cancelled.status, cancelled.body["status"]) == (200, "cancelled")
        self.model.declined[answer.body["id"]] = wish.kind  # what follows it is refused alike

    @rule(target=keyed, sketch=SKETCHES)
    def ask_with_a_key(self, sketch: Sketch) -> tuple[str, dict[str, Any], str, Answer]:
        key = str(uuid4())  # not drawn: Hypothesis repeats what it draws, and the service never forgets a key
        wish = wish_of(self.model, sketch)
        path, body = request(wish)
        answer = self.till.post(path, body, Idempotency_Key=key)
        self.settled(answer, wish)
        return path, body, key, answer

    @rule(sent=keyed, prefer=st.sampled_from(["", "respond-async"]))
    def repeat_with_the_key(self, sent: tuple[str, dict[str, Any], str, Answer], prefer: str) -> None:
        path, body, key, first = sent
        again = self.till.post(path, body, Idempotency_Key=key, Prefer=prefer)
        assert (again.status, again.body) == (first.status, first.body)

    @rule(sketches=st.lists(SKETCHES, min_size=1, max_size=6), atomic=st.booleans(), dry_run=st.booleans())
    def ask_for_a_batch(self, sketches: list[Sketch], atomic: bool, dry_run: bool) -> None:  # noqa: FBT001
        wishes = [wish_of(self.model, sketch) for sketch in sketches]
        body = {"atomic": atomic, "transactions": [member(wish) for wish in wishes]}
        answer = self.till.post(f"/transaction/batch{'?dry_run=true' if dry_run else ''}", body)
        trial = deepcopy(self.model)
        deeds = [(deed, deepcopy(deed)) for deed in (outcome_of(trial.make, wish) for wish in wishes)]
        refused = [(index, deed.code) for index, (deed, _) in enumerate(deeds) if isinstance(deed, Refused)]
        if atomic and refused:
            assert answer.status == 409
            assert (answer.body["index"], answer.body["cause"]["code"]) == refused[0]
            return
        assert answer.status == (201 if atomic and not dry_run else 200)
        for (deed, as_made), result in zip(deeds, answer.body["results"], strict=True):
            if isinstance(deed, Refused):
                assert result["problem"]["code"] == deed.code
            else:
                assert isinstance(as_made, Deed)
                agree(result["transaction"], as_made)  # a later member may have ended the hold
                trial.deeds[result["transaction"]["id"]] = deed
        if not dry_run:
            self.model = trial

    @rule(which=st.integers(0, 99), wanted=CHANGES, known=st.sampled_from([None, "now", "then"]))
    def change(self, which: int, wanted: dict[str, Any], known: str | None) -> None:
        account_id = list(self.model.purses)[which % len(self.model.purses)]
        purse = self.model.purses[account_id]
        at = (purse.version, purse.revision + (known == "then"))
        tag = f'"{at[0]}.{at[1]}"' if at[1] else f'"{at[0]}"'
        answer = self.till.change(account_id, {} if known is None else {"If_Match": tag}, **wanted)
        done = outcome_of(self.model.change, account_id, wanted, None if known is None else at)
        if isinstance(done, Refused):
            assert answer.body["code"] == done.code
        else:
            assert answer.status == 200

    @rule(which=st.integers(0, 99), description=st.sampled_from([None, "rent", "late"]))
    def annotate(self, which: int, description: str | None) -> None:
        ids = [*self.model.deeds, *self.model.declined, MISSING]
        id_ = ids[which % len(ids)]
        answer = self.till.call("PATCH", f"/transaction/{id_}", {"description": description})
        if (deed := self.model.deeds.get(id_)) is None:
            assert answer.body["code"] == ("transaction-not-found" if id_ == MISSING else "not-posted")
        else:
            agree(answer.body, deed)
            deed.notes.append(description)

    def settled(self, answer: Answer, wish: Wish) -> None:
        """Both have done it, or both have refused it for one reason."""
        deed = outcome_of(self.model.make, wish)
        if isinstance(deed, Refused):
            assert answer.body["code"] == deed.code
        else:
            assert answer.status == 201, answer
            agree(answer.body, deed)
            self.model.deeds[answer.body["id"]] = deed

    @invariant()
    def every_account_agrees(self) -> None:
        for account_id, purse in self.model.purses.items():
            answer = self.till.call("GET", f"/account/{account_id}")
            told = [Decimal(answer.body[name]) for name in ("balance", "held", "available")]
            assert told == [purse.balance, purse.held, purse.balance - purse.held - purse.floor]
            assert (answer.body["version"], answer.body["status"]) == (purse.version, purse.status)
            known = (purse.version, purse.revision)
            assert answer.headers["ETag"] == ('"{}.{}"' if purse.revision else '"{}"').format(*known)

    def teardown(self) -> None:
        """Every transaction is on the books as it was made; of a hold, what has become of it, and what is left.

        So are its notes, and all changes of them; and an account is what its changes add up to.
        """
        for transaction_id, deed in self.model.deeds.items():
            read = self.till.transaction(transaction_id)
            agree(read, deed)
            assert read.get("remaining") == (f"{deed.rest:.2f}" if deed.kind == "hold" else None)
            assert read.get("refunded") == (f"{deed.refunded:.2f}" if deed.kind in REFUNDABLE else None)
            assert read.get("description") == [None, *deed.notes][-1]
            notes = self.till.call("GET", f"/transaction/{transaction_id}/change?order=asc&limit=500").body["items"]
            before = [None, *deed.notes]
            told = [one["changes"].get("description", [was, was]) for one, was in zip(notes, before, strict=False)]
            assert told == [[was, now] for was, now in pairwise(before)]
        for account_id, purse in self.model.purses.items():
            account, changes = (
                self.till.account(account_id),
                self.till.call("GET", f"/account/{account_id}/change?order=asc&limit=500").body,
            )
            assert [one["revision"] for one in changes["items"]] == [*range(purse.revision + 1)]
            sums: dict[str, Any] = {}
            for name, (was, now) in (pair for one in changes["items"] for pair in one["changes"].items()):
                assert sums.get(name) == was
                sums[name] = now
            assert sums.items() >= {name: account.get(name) for name in sums}.items()


def outcome_of(act: Callable[..., T], *args: object) -> T | Refused:
    try:
        return act(*args)
    except Refused as refused:
        return refused


@pytest.fixture
def wallets(till: Till) -> type[Wallets]:
    class WalletsOfThisService(Wallets):
        pass

    WalletsOfThisService.till = till
    return WalletsOfThisService


def test_the_service_and_the_model_agree(wallets: type[Wallets]) -> None:
    bounded = settings(
        max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    run_state_machine_as_test(wallets, settings=bounded)
