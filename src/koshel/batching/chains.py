"""Commands that have a line in common, in chains: what is settled alone keeps its order along each line."""

from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from msgspec import Struct

from koshel.batching.waiting import Waiting

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


def in_order(batch: Sequence[Waiting[CommandT, OutcomeT]]) -> Sequence[Waiting[CommandT, OutcomeT]]:
    """As they left for the first time."""
    return sorted(batch, key=lambda one: one.number)


def chains(
    batch: Sequence[Waiting[CommandT, OutcomeT]], lines: Callable[[CommandT], AbstractSet[Hashable]]
) -> list[list[Waiting[CommandT, OutcomeT]]]:
    """The commands, each in one chain with all that it has a line in common with."""
    found: dict[int, _Chain[CommandT, OutcomeT]] = {}
    by_line: dict[Hashable, _Chain[CommandT, OutcomeT]] = {}
    for one in batch:
        its = lines(one.command)
        common = {id(chain): chain for line in its if (chain := by_line.get(line)) is not None}
        chain, *others = common.values() or [_Chain([], set())]
        for other in others:
            chain.members = [*in_order([*chain.members, *other.members])]
            chain.lines |= other.lines
            by_line |= dict.fromkeys(other.lines, chain)
            del found[id(other)]
        chain.members.append(one)
        chain.lines |= its
        by_line |= dict.fromkeys(its, chain)
        found[id(chain)] = chain
    return [chain.members for chain in found.values()]


class _Chain(Struct, Generic[CommandT, OutcomeT], eq=False):
    members: list[Waiting[CommandT, OutcomeT]]
    lines: set[Hashable]
