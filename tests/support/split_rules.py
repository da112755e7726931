"""Rules of splits for the state machine: what each leg comes to is found by trying, on a copy of the model."""

from collections.abc import Sequence
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.support.service import Answer
from tests.support.till import Till
from tests.support.wallet_model import CENT, ZERO, Deed, Model, Refused, Wish

AMOUNTS = st.decimals("1", "120", places=2)
WAYS = st.sampled_from(["now", "now", "dry_run", "later", "batch"])
PLACES = st.lists(st.tuples(st.integers(0, 99), st.integers(1, 5)), min_size=1, max_size=4)


class SplitRules(RuleBasedStateMachine):
    """A split is all of its legs, each a transfer or a hold, or nothing."""

    till: Till
    model: Model

    @rule(one=st.integers(0, 99), legs=PLACES, amount=AMOUNTS, is_hold=st.booleans(), way=WAYS)
    def split_to(self, one: int, legs: list[tuple[int, int]], amount: Decimal, is_hold: bool, way: str) -> None:  # noqa: FBT001
        source, *targets = (self._account(place) for place in (one, *(place for place, _ in legs)))
        weights = [weight for _, weight in legs]
        shares = [f"{weight}/{sum(weights)}" for weight in weights]
        trial = deepcopy(self.model)
        made = None
        if self._are_usable([source], targets):
            sides = [(source, target) for target in targets]
            made = _made(trial, sides, apportioned(amount, weights), is_hold=is_hold)
        body = {
            "source_account_id": source,
            "targets": [
                {"target_account_id": target, "share": share} for target, share in zip(targets, shares, strict=True)
            ],
        }
        self._agree(self._ask(body | _said(amount, is_hold=is_hold), way), trial, made, way)

    @rule(one=st.integers(0, 99), legs=PLACES, amount=AMOUNTS, is_hold=st.booleans(), way=WAYS)
    def split_from(self, one: int, legs: list[tuple[int, int]], amount: Decimal, is_hold: bool, way: str) -> None:  # noqa: FBT001
        target, *sources = (self._account(place) for place in (one, *(place for place, _ in legs)))
        most = [None if weight == 5 else Decimal(20 * weight) for _, weight in legs]
        most[-1] = None
        trial = deepcopy(self.model)
        made = None
        if self._are_usable(sources, [target]):
            made = _drawn(trial, sources, target, most, amount, is_hold=is_hold)
        legs_ = [
            {"source_account_id": source} | ({} if one is None else {"max": str(one)})
            for source, one in zip(sources, most, strict=True)
        ]
        body = {"sources": legs_, "target_account_id": target} | _said(amount, is_hold=is_hold)
        self._agree(self._ask(body, way), trial, made, way)

    def _account(self, place: int) -> int:
        return list(self.model.purses)[place % len(self.model.purses)]

    def _are_usable(self, sources: Sequence[int], targets: Sequence[int]) -> bool:
        is_open = all(self.model.purses[one].status == "open" for one in (*sources, *targets))
        return is_open and not {*sources} & {*targets}

    def _ask(self, body: dict[str, Any], way: str) -> Answer:
        match way:
            case "dry_run":
                return self.till.post("/transaction?dry_run=true", body)
            case "batch":
                return self.till.post("/transaction/batch", {"transactions": [body]})
            case "later":
                queued = self.till.post("/transaction", body, Prefer="respond-async")
                assert queued.status == 202
                self.till.decided(queued.body["id"])
                return self.till.call("GET", f"/transaction/{queued.body['id']}")
            case _:
                return self.till.post("/transaction", body)

    def _agree(self, answer: Answer, trial: Model, made: list[Deed | None] | None, way: str) -> None:
        """Both have made the same legs, or both have refused."""
        if made is None:
            if way == "later":
                assert answer.body["status"] == "declined"
                self.model.declined[answer.body["id"]] = answer.body["kind"]
            else:
                assert answer.status == 409 or answer.body["code"] == "same-account", answer
            return
        legs = self._legs(answer, way)
        told = [None if one is None else (one["kind"], one["source_account_id"], one["amount"]) for one in legs]
        if way == "later":  # those that were left out are not among what is read
            made = [deed for deed in made if deed is not None]
        assert told == [None if one is None else (one.kind, one.source, f"{one.amount:.2f}") for one in made]
        if way != "dry_run":
            self.model.purses = trial.purses
            deeds = {leg["id"]: deed for leg, deed in zip(legs, made, strict=True) if leg and deed}
            self.model.deeds |= deeds

    def _legs(self, answer: Answer, way: str) -> list[dict[str, Any] | None]:
        """What each leg has become: a transaction, or nothing."""
        if way == "later":
            answer = self.till.call("GET", f"/split/{answer.body['group_id']}")
        results = answer.body["results"]
        if way == "batch":
            results = results[0]["results"]
        return [one.get("transaction") for one in results]


def apportioned(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """By the largest remainder, the first of equal ones: cent by cent to whoever is furthest below its exact part."""
    cents = int(amount / CENT)
    exact = [Fraction(cents * weight, sum(weights)) for weight in weights]
    parts = [int(one) for one in exact]
    for _ in range(cents - sum(parts)):
        missing = [one - part if part == int(one) else Fraction(-1) for one, part in zip(exact, parts, strict=True)]
        parts[missing.index(max(missing))] += 1
    return [part * CENT for part in parts]


def _said(amount: Decimal, *, is_hold: bool) -> dict[str, Any]:
    return {"amount": str(amount)} | ({"hold": {}} if is_hold else {})


def _made(
    model: Model, sides: Sequence[tuple[int, int]], parts: Sequence[Decimal], *, is_hold: bool
) -> list[Deed | None] | None:
    """The legs, made one after the other; None if one is refused."""
    kind = "hold" if is_hold else "transfer"
    try:
        return [
            model.make(Wish(kind, source, target, amount=part)) if part else None
            for (source, target), part in zip(sides, parts, strict=True)
        ]
    except Refused:
        return None


def _drawn(
    model: Model,
    sources: Sequence[int],
    target: int,
    most: Sequence[Decimal | None],
    amount: Decimal,
    *,
    is_hold: bool,
) -> list[Deed | None] | None:
    """Each source gives the most that the model lets it give, as far as it is needed; None if that is too little."""
    deeds: list[Deed | None] = []
    for source, limit in zip(sources, most, strict=True):
        low, high = 0, int(min(amount, amount if limit is None else limit) / CENT)
        while low < high:
            middle = (low + high + 1) // 2
            is_made = _made(deepcopy(model), [(source, target)], [middle * CENT], is_hold=is_hold)
            low, high = (middle, high) if is_made else (low, middle - 1)
        made = _made(model, [(source, target)], [low * CENT], is_hold=is_hold)
        assert made is not None
        deeds += made
        amount -= low * CENT
    return None if amount > ZERO else deeds
