"""What each leg of a split comes to, drawn at random, is what an oracle of fractions says: to the last cent."""

from collections import Counter
from decimal import Decimal

from hypothesis import HealthCheck, given, settings

from koshel.core.decide import decide
from koshel.core.legs import LeftOut
from koshel.core.model import Declined, Grouped, Outcome, Posted, Refusal
from koshel.core.money import in_units
from tests.support.split_oracle import Expected, Missing, expected
from tests.support.split_scenes import Scene, scenes

EXAMPLES = 600
# What the oracle must have said at least once: else what is drawn has gone astray.
ALL = {"legs", "left out", "missing", *map(str, (Refusal.SPLIT_NOT_EXACT, Refusal.INSUFFICIENT_FUNDS))}
ALL |= {*map(str, (Refusal.LIMIT_EXCEEDED, Refusal.AMOUNT_OUT_OF_RANGE))}


def told(outcome: Outcome, scale: int) -> Expected:
    """The outcome in the words of the oracle."""
    if isinstance(outcome, Declined):
        missing = outcome.facts.get("missing")
        return outcome.refusal if missing is None else Missing(in_units(Decimal(missing), scale))
    assert isinstance(outcome, Grouped)
    return [in_units(leg.amount, scale) for leg in outcome.outcomes if isinstance(leg, Posted | LeftOut)]


def test_each_leg_is_what_the_oracle_says() -> None:
    said: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(scenes())
    def each(scene: Scene) -> None:
        right = expected(scene.command, scene.means, scene.scale)
        (outcome,) = decide(scene.book, [scene.command])
        assert told(outcome, scene.scale) == right
        said.update(_kinds(right))

    each()
    assert said.keys() == ALL, said


def _kinds(right: Expected) -> list[str]:
    match right:
        case Missing():
            return ["missing"]
        case Refusal():
            return [str(right)]
        case _:
            return ["legs", *["left out"] * (0 in right)]
