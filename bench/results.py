"""What was measured, part by part."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from bench.against import Compared
from bench.backlog import Backlog
from bench.batches import Batched
from bench.contest import Measure, Plan
from bench.in_process import Settling
from bench.lifetime import Look
from bench.load import Shape
from bench.locked import Locked
from bench.overload import Flood, Overload, WrongKeys
from bench.proving import Proving
from bench.scheduled import Scheduled

Row: TypeAlias = tuple[Shape, Mapping[str, Measure]]


class Results(Struct):
    """All of it; what was not measured is empty."""

    command: str
    plan: Plan
    machine: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    table: list[Row] = field(default_factory=list)
    batched: list[Batched] = field(default_factory=list)
    held: list[Row] = field(default_factory=list)
    backlog: Backlog | None = None
    scheduled: Scheduled | None = None
    split: Compared | None = None
    settling: list[Settling] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    tuned: dict[str, list[Row]] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)  # with the version of --other
    earlier: list[Compared] = field(default_factory=list)  # with 0.2.0
    earlier_drains: Mapping[str, Sequence[float]] = field(default_factory=dict)  # by version
    not_compared: str | None = None  # why 0.2.0 was not there
    logged: Compared | None = None
    callers: list[Compared] = field(default_factory=list)  # keys, metrics, many ledgers, names, limits
    locked: list[Locked] = field(default_factory=list)
    overload: Overload | None = None
    flood: Flood | None = None
    wrong_keys: WrongKeys | None = None
    first_answer_s: float | None = None
    proving: Proving | None = None
    serve_ratio: float | None = None  # `serve` on a migrated database : importing what it is made of
    took_s: float = 0.0
    failures: Sequence[str] = ()
