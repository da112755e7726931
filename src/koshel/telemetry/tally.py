"""Numbers that the processes of a service share, in memory that the master makes before it forks.

    Shared ── part 0: the master's │ part 1 │ part 2 │ …       each part has a place for every number there is
                                      └─ a worker takes a free one; after its death the next worker takes it on

A process writes only its own part, and reads all of them. So nothing is locked; a number is the sum (or the most) of
what stands in the parts; and what a process has counted is there when it is killed in the middle of anything: counts
go on with the next worker, and what a dead worker said of its present state is wiped.

A number with labels has a series for each combination of their values, made when that is met first. There are at most
`most`; what comes after them is counted as OTHER.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from mmap import mmap
from threading import Lock
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Series: TypeAlias = dict[tuple[str, ...], list[float]]  # cells, by the values of the labels

CELL = 8  # bytes: an aligned double, which is written and read in one piece
NAME_CELLS = 12  # for the values of a series' labels
OTHER = "other"  # in the place of each label's value, when there is no room for more series
_BETWEEN = "\n"
_learning = Lock()


class Number:
    """What is counted or measured: one cell a series, or several. It writes where `use` says."""

    kind: Kind
    width = 1  # cells of a series

    def __init__(self, name: str, text: str, *labels: str, most: int = 32, known: Sequence[str] = ()) -> None:
        """`text` says what it is; there are `most` series at most, those of the `known` values from the start."""
        self.name = name
        self.text = text
        self.labels = labels
        self.most = most + 1 if labels else 1  # with OTHER
        self._known_before = [(value,) for value in known] if labels else [()]
        self._cells = memoryview(bytearray(self.size * CELL)).cast("d")
        self.use(self._cells)

    @property
    def size(self) -> int:
        """Cells: how many series there are, then these, then the values of their labels."""
        return 1 + self.most * (self.width + NAME_CELLS)

    def use(self, cells: "memoryview[float]") -> None:
        """Write here from now on: into cells of zeros, or into those that another process has left."""
        self._cells = cells
        self._places = dict(zip(self._known(cells), range(1, self.size, self.width), strict=False))
        for values in self._known_before:
            self.place(values)

    def know(self, values: Iterable[str]) -> None:
        """The series of these values are there from now on, at zero: what is first seen at 1 has not grown."""
        self._known_before = list(dict.fromkeys([*self._known_before, *((value,) for value in values)]))
        for known in self._known_before:
            self.place(known)

    def read(self, cells: "memoryview[float]") -> Series:
        """The series in these cells."""
        series: Series = {}
        for number, values in enumerate(self._known(cells)):
            at = 1 + number * self.width
            series[values] = [*cells[at : at + self.width]]
        return series

    def place(self, values: tuple[str, ...]) -> int:
        """Where the series with these values begins."""
        found = self._places.get(values)
        return self._learn(values) if found is None else found

    def _learn(self, values: tuple[str, ...]) -> int:
        with _learning:  # the threads that write logs count too
            if values in self._places:
                return self._places[values]
            number = len(self._places)
            name = _BETWEEN.join(values).encode()
            if number >= self.most - 1 and values and values != (OTHER,) * len(values):
                return self._of_others()
            if len(name) > NAME_CELLS * CELL:
                return self._of_others()
            return self._enter(number, values, name)

    def _enter(self, number: int, values: tuple[str, ...], name: bytes) -> int:
        names = self._cells.cast("B")
        start = (1 + self.most * self.width + number * NAME_CELLS) * CELL
        names[start : start + len(name)] = name
        self._cells[0] = number + 1  # last: who reads meanwhile sees no series without its values
        at = self._places[values] = 1 + number * self.width
        return at

    def _of_others(self) -> int:
        values = (OTHER,) * len(self.labels)
        if values in self._places:
            return self._places[values]
        return self._enter(len(self._places), values, _BETWEEN.join(values).encode())

    def _known(self, cells: "memoryview[float]") -> list[tuple[str, ...]]:
        first = 1 + self.most * self.width
        names = bytes(cells[first : first + int(cells[0]) * NAME_CELLS])
        step = NAME_CELLS * CELL
        texts = [names[start : start + step].rstrip(b"\0").decode() for start in range(0, len(names), step)]
        return [tuple(text.split(_BETWEEN)) if self.labels else () for text in texts]


class Counter(Number):
    """It only grows."""

    kind = "counter"

    def add(self, *values: str, by: float = 1) -> None:
        """So many more, in the series with these values."""
        self._cells[self.place(values)] += by


class Gauge(Number):
    """What is now. Over several processes: the `sum` of what each says, or the `max`."""

    kind = "gauge"

    def __init__(self, name: str, text: str, *labels: str, over: Literal["sum", "max"] = "sum", most: int = 32) -> None:
        super().__init__(name, text, *labels, most=most)
        self.over = over

    def set(self, value: float, *values: str) -> None:
        """It is this now."""
        self._cells[self.place(values)] = value


class Asked(Number):
    """What is now, as somebody else knows it: that is asked when it is looked at. Nothing of it is kept."""

    kind = "gauge"


class Histogram(Number):
    """How many observations were at most as large as each of `bounds`, how many were larger, and their sum."""

    kind = "histogram"

    def __init__(
        self, name: str, text: str, *labels: str, bounds: Sequence[float], most: int = 32, known: Sequence[str] = ()
    ) -> None:
        self.bounds = bounds
        self.width = len(bounds) + 2
        super().__init__(name, text, *labels, most=most, known=known)

    def observe(self, value: float, *values: str) -> None:
        """One observation."""
        at, cells = self.place(values), self._cells
        cells[at + bisect_left(self.bounds, value)] += 1
        cells[at + self.width - 1] += value

    def observe_all(self, observed: list[float], *values: str) -> None:
        """Several at once, which costs less than each for itself."""
        at, cells = self.place(values), self._cells
        observed = sorted(observed)
        before = 0
        for bucket, bound in enumerate(self.bounds):
            if (upto := bisect_right(observed, bound)) > before:
                cells[at + bucket] += upto - before
                before = upto
        cells[at + self.width - 2] += len(observed) - before
        cells[at + self.width - 1] += sum(observed)


class Shared:
    """The memory of a table, with its parts. Only the master divides it, and takes and releases parts.

    What is asked has no place in it.
    """

    def __init__(self, table: Sequence[Number]) -> None:
        self._table = [one for one in table if not isinstance(one, Asked)]
        self._length = 1 + sum(one.size for one in self._table)
        self.divide(1)

    def divide(self, parts: int) -> None:
        """Begin anew with so many parts; this process writes into the first."""
        self._cells = memoryview(mmap(-1, parts * self._length * CELL)).cast("d")
        self._free = list(range(parts))
        self.use(self.take())

    def take(self) -> int | None:
        """A part that nobody writes to; None if there is none."""
        if not self._free:
            return None
        part = self._free.pop(0)
        self._cells[part * self._length] = 1  # from now on there is something to be read
        return part

    def use(self, part: int | None) -> None:
        """This process writes into this part from now on; without one, where nobody reads."""
        if part is None:
            for one in self._table:
                one.use(memoryview(bytearray(one.size * CELL)).cast("d"))
        else:
            for one, cells in self._of(part):
                one.use(cells)

    def release(self, part: int | None) -> None:
        """The process that wrote into it has ended: what it counted stays, what it said of the present goes."""
        if part is None:
            return
        for one, cells in self._of(part):
            if one.kind == "gauge":
                for at in range(1, 1 + one.most * one.width):
                    cells[at] = 0
        self._free.insert(0, part)

    def read(self) -> dict[str, Series]:
        """Every number's series over all parts, by the number's name."""
        found: dict[str, Series] = {one.name: {} for one in self._table}
        for part in range(len(self._cells) // self._length):
            if self._cells[part * self._length]:
                for one, cells in self._of(part):
                    _merge(one, found[one.name], one.read(cells))
        return found

    def _of(self, part: int) -> "list[tuple[Number, memoryview[float]]]":
        at, found = part * self._length + 1, []
        for one in self._table:
            found.append((one, self._cells[at : at + one.size]))
            at += one.size
        return found


def _merge(number: Number, into: Series, more: Series) -> None:
    join = max if isinstance(number, Gauge) and number.over == "max" else _sum
    for values, cells in more.items():
        there = into.get(values)
        into[values] = cells if there is None else [join(a, b) for a, b in zip(there, cells, strict=True)]


def _sum(one: float, other: float) -> float:
    return one + other
