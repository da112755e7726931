"""Rules of what ends the holds of a split, for the state machine: each as if it was ended alone, all or none."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.support.service import Answer
from tests.support.split_rules import SplitRules, said, told
from tests.support.till import found
from tests.support.wallet_model import Deed, Model, Refused, Wish


class SplitEndRules(SplitRules):
    """All holds of a split end together, now or later, or none does."""

    @precondition(lambda self: self.splits)
    @rule(
        which=st.integers(0, 99),
        verb=st.sampled_from(["capture", "void"]),
        way=st.sampled_from(["now", "with a key", "dry_run", "later"]),
    )
    def end_a_split(self, which: int, verb: str, way: str) -> None:
        held = [id_ for id_, legs in self.splits.items() if {self.model.deeds[leg].status for leg in legs} == {"held"}]
        ids = held if held and which % 5 else [*self.splits]
        group_id = ids[which % len(ids)]
        answer = self._ask(f"/split/{group_id}/{verb}", {}, way)
        trial = deepcopy(self.model)
        ended = _ended(trial, self.splits[group_id], verb)
        if not isinstance(ended, list):
            problem = answer.body.get("problem", answer.body)
            assert problem["code"] == "batch-refused", answer
            assert (problem["index"], problem["cause"]["code"]) == ended
            if way == "later":
                self.model.declined[answer.body["id"]] = verb
            return
        made = self._made(answer, way)
        if way == "dry_run":
            assert [*map(told, made)] == [*map(said, ended)]
        else:
            self.model = trial
            self._book(made, ended)

    def _made(self, answer: Answer, way: str) -> list[dict[str, Any]]:
        if way == "later":  # the first is what was queued
            assert answer.body["status"] == "posted", answer
            items = found(self.till.call("GET", f"/transaction?group_id={answer.body['group_id']}"))["items"]
            return sorted(items, key=lambda one: bool(one["id"] != answer.body["id"]) * int(one["id"]))
        return [one["transaction"] for one in answer.body["results"]]


def _ended(model: Model, ids: Sequence[int], verb: str) -> list[Deed] | tuple[int, str]:
    """What ends these holds, one after the other; or the place of one that cannot be ended, and why."""
    made: list[Deed] = []
    try:
        made.extend(model.make(Wish(verb, parent=id_)) for id_ in ids)
    except Refused as refused:
        return len(made), refused.code
    return made
