"""Rules of splits for the state machine: what each leg comes to is found by trying, on a copy of the model."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.support.service import Answer
from tests.support.split_oracle import apportioned
from tests.support.till import Till
from tests.support.wallet_model import CENT, Deed, Model, Refused, Wish

Terms: TypeAlias = dict[str, Any]

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
PARTS = 20  # of an amount; a leg has five of them at most, and so there is something left for another


class Outline(NamedTuple):
    """A split before there is anything to split: its numbers choose among what there will be."""

    one: int  # the account that all legs have in common
    legs: list[tuple[int, int]]  # of each its account, and its weight
    rest: int  # the leg that gets, or gives, what remains, if there are so many
    apart: int  # another with a fixed amount, or of the sources one with a share
    amount: Decimal
    hold: Terms | None
    by_names: bool
    way: str

    @property
    def cents(self) -> int:
        return int(self.amount / CENT)


OUTLINES = st.builds(
    Outline,
    st.integers(0, 99),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 5)), min_size=1, max_size=4),
    st.integers(0, 5),
    st.integers(0, 5),
    st.decimals("1", "60", places=2),
    st.sampled_from([None, None, {}, {}, {"expires_in": 604_800, "capture_at": TOMORROW}]),
    st.booleans(),
    st.sampled_from(["now", "with a key", "dry_run", "later", "batch"]),
)


class SplitRules(RuleBasedStateMachine):
    """A split is all of its legs, each a transfer or a hold, or nothing."""

    till: Till
    model: Model

    def __init__(self) -> None:
        super().__init__()
        self.splits: dict[int, list[int]] = {}  # the transactions of each

    @rule(outline=OUTLINES)
    def split_to(self, outline: Outline) -> None:
        source, *targets = self._accounts(outline)
        terms, parts = _received(outline)
        trial, made = deepcopy(self.model), None
        if self._are_usable([source], targets):
            sides = [(source, target) for target in targets]
            made = _made(trial, sides, parts, is_hold=outline.hold is not None)
        legs = [self._side(outline, "target", target) | said for target, said in zip(targets, terms, strict=True)]
        self._agree(outline, self._side(outline, "source", source) | {"targets": legs}, trial, made)

    @rule(outline=OUTLINES)
    def split_from(self, outline: Outline) -> None:
        target, *sources = self._accounts(outline)
        terms = _given(outline)
        trial, made = deepcopy(self.model), None
        if self._are_usable(sources, [target]):
            made = _drawn(trial, sources, target, terms, outline)
        legs = [self._side(outline, "source", source) | said for source, said in zip(sources, terms, strict=True)]
        self._agree(outline, self._side(outline, "target", target) | {"sources": legs}, trial, made)

    def _accounts(self, outline: Outline) -> list[int]:
        """That of one side, and those of the other; now and then it is among them."""
        ids = list(self.model.purses)
        one = ids[outline.one % len(ids)]
        others = ids if outline.one % 10 == 9 else [id_ for id_ in ids if id_ != one]
        return [one, *(others[place % len(others)] for place, _ in outline.legs)]

    def _side(self, outline: Outline, side: str, id_: int) -> Terms:
        return {side: self.model.purses[id_].name} if outline.by_names else {f"{side}_account_id": id_}

    def _are_usable(self, sources: Sequence[int], targets: Sequence[int]) -> bool:
        is_open = all(self.model.purses[one].status == "open" for one in (*sources, *targets))
        return is_open and not {*sources} & {*targets}

    def _ask(self, path: str, body: Terms, way: str) -> Answer:
        match way:
            case "dry_run":
                return self.till.post(f"{path}?dry_run=true", body)
            case "batch":
                return self.till.post("/transaction/batch", {"transactions": [body]})
            case "later":
                queued = self.till.enqueue(path, body)
                self.till.decided(queued["id"])
                return self.till.call("GET", f"/transaction/{queued['id']}")
            case "with a key":
                key = str(uuid4())
                answer, again = (self.till.post(path, body, Idempotency_Key=key) for _ in range(2))
                assert (again.status, again.body) == (answer.status, answer.body)
                return answer
            case _:
                return self.till.post(path, body)

    def _agree(self, outline: Outline, body: Terms, trial: Model, made: list[Deed | None] | None) -> None:
        """Both have made the same legs, or both have refused."""
        hold = {} if outline.hold is None else {"hold": outline.hold}
        answer = self._ask("/transaction", body | {"amount": str(outline.amount)} | hold, outline.way)
        if made is None:
            if outline.way == "later":
                assert answer.body["status"] == "declined"
                self.model.declined[answer.body["id"]] = answer.body["kind"]
            else:
                assert answer.status == 409 or answer.body["code"] == "same-account", answer
            return
        if outline.way == "later":  # those that were left out are not among what is read
            answer = self.till.call("GET", f"/split/{answer.body['group_id']}")
            made = [deed for deed in made if deed is not None]
        result = answer.body["results"][0] if outline.way == "batch" else answer.body
        legs = [one.get("transaction") for one in result["results"]]
        assert {"capture_at" in leg for leg in legs if leg} == {"capture_at" in (outline.hold or {})}
        if outline.way == "dry_run":
            assert [*map(told, legs)] == [*map(said, made)]
        else:
            self.model.purses = trial.purses
            self.splits[result["group_id"]] = self._book(legs, made)

    def _book(self, legs: Sequence[Terms | None], made: Sequence[Deed | None]) -> list[int]:
        """The transactions, which are what the model has made, are on its books too; their ids."""
        assert [*map(told, legs)] == [*map(said, made)]
        deeds = {leg["id"]: deed for leg, deed in zip(legs, made, strict=True) if leg and deed}
        self.model.deeds |= deeds
        return [*deeds]


def told(leg: Terms | None) -> list[Any] | None:
    """What an answer says of a leg."""
    names = ("kind", "source_account_id", "target_account_id", "parent_id", "amount")
    return None if leg is None else [leg[name] for name in names]


def said(deed: Deed | None) -> list[Any] | None:
    """What the model says of it."""
    return None if deed is None else [deed.kind, deed.source, deed.target, deed.parent, f"{deed.amount:.2f}"]


def _received(outline: Outline) -> tuple[list[Terms], list[Decimal]]:
    """What is asked for each target, and what that is."""
    weights = [weight for _, weight in outline.legs]
    if outline.rest >= len(weights):
        whole = sum(weights)
        exact = [Fraction(outline.cents * weight, whole) for weight in weights]
        return [{"share": f"{weight}/{whole}"} for weight in weights], [one * CENT for one in apportioned(exact)]
    terms: list[Terms] = [{"share": f"{weight}/{PARTS}"} for weight in weights]
    exact = [Fraction(outline.cents * weight, PARTS) for weight in weights]
    if outline.apart < len(weights):
        terms[outline.apart] = {"amount": f"0.0{weights[outline.apart]}"}
        exact[outline.apart] = Fraction(weights[outline.apart])
    terms[outline.rest] = {"remaining": True}
    exact[outline.rest] += outline.cents - sum(exact)
    return terms, [one * CENT for one in apportioned(exact)]


def _given(outline: Outline) -> list[Terms]:
    """What is asked of each source; one of them at least has no bound."""
    weights = [weight for _, weight in outline.legs]
    terms: list[Terms] = [{} if weight == 5 else {"max": f"{20 * weight}"} for weight in weights]
    if outline.apart < len(weights):
        terms[outline.apart] = {"share": f"{weights[outline.apart]}/{PARTS}"}
    terms[-1] = {}
    if outline.rest < len(weights):
        terms[outline.rest] = {"remaining": True}
    return terms


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
    model: Model, sources: Sequence[int], target: int, terms: Sequence[Terms], outline: Outline
) -> list[Deed | None] | None:
    """Shares first; then each gives the most that the model lets it, as it is needed; None if that is too little."""
    is_hold, rest = outline.hold is not None, outline.cents
    deeds: dict[int, Deed | None] = {}
    for place in sorted(
        range(len(terms)), key=lambda place: ("share" not in terms[place], "remaining" in terms[place])
    ):
        said, sides = terms[place], [(sources[place], target)]
        if "share" in said:
            exact = outline.cents * Fraction(said["share"])
            low, _ = apportioned([exact, outline.cents - exact])
        else:
            low, high = 0, int(min(rest * CENT, Decimal(said.get("max", outline.amount))) / CENT)
            while low < high:
                middle = (low + high + 1) // 2
                is_made = _made(deepcopy(model), sides, [middle * CENT], is_hold=is_hold)
                low, high = (middle, high) if is_made else (low, middle - 1)
        made = _made(model, sides, [low * CENT], is_hold=is_hold)
        if made is None:
            return None
        (deeds[place],), rest = made, rest - low
    return None if rest else [deeds[place] for place in range(len(terms))]
