"""An account's statement as a picture: balance and held as steps, and below them what came in and what left."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from msgspec import Struct

from koshel.core.money import ZEROS, add, scale_of
from koshel.pictures.bins import Bins, bins
from koshel.pictures.drawing import EDGE, FREE, GREY, Amounts, at, look, time_axis, titled
from koshel.pictures.thinning import Point, Thinned

BINS_MAX = 60
LONG = timedelta(hours=1)  # of what is shorter the seconds are told
BALANCE, HELD, IN, OUT = "#0072b2", "#e69f00", "#009e73", "#d55e00"  # told apart by those who see few colours too


class Of(Struct, frozen=True):
    """What a picture is of: an account from one moment to another, and what it had at the first one."""

    account: str
    ledger: str
    currency: str
    begin: datetime
    end: datetime
    balance: Decimal
    held: Decimal
    lines: int


class StatementPicture:
    """A picture of a statement, to which its lines are told one after another."""

    def __init__(self, of: Of, first: datetime, last: datetime) -> None:
        """`first` and `last`: when its first and its last line were."""
        self._of = of
        self._balance, self._held = Thinned(of.lines), Thinned(of.lines)
        self._bins: Bins = bins(first, last, BINS_MAX)
        zero = ZEROS[scale_of(of.balance)]
        self._in: defaultdict[int, Decimal] = defaultdict(lambda: zero)
        self._out: defaultdict[int, Decimal] = defaultdict(lambda: zero)
        self._now = (of.balance, of.held)

    def add(self, moment: datetime, change: Decimal, balance: Decimal, held: Decimal) -> None:
        """The next line: by how much it has changed the balance, and what it left."""
        self._balance.add(moment, balance)
        self._held.add(moment, held)
        self._now = (balance, held)
        if change:
            flows, place = self._in if change > 0 else self._out, self._bins.place(moment)
            flows[place] = add(flows[place], change)

    def drawn(self) -> Figure:
        """The picture of all lines so far."""
        of = self._of
        with look():
            figure = Figure(figsize=(10, 6.2), layout="constrained")
            above, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 2])
            self._draw_steps(above)
            self._draw_flows(below)
            time_axis(below, of.begin, of.end)
            form = "%Y-%m-%d %H:%M" if of.end - of.begin >= LONG else "%Y-%m-%d %H:%M:%S"
            span = f"{of.begin.strftime(form)} to {of.end.strftime(form)} UTC"
            facts = f"ledger {of.ledger} · {of.currency} · {span} · {of.lines:,} lines"
            titled(figure, f"Statement of {of.account}", facts)
        return figure

    def _draw_steps(self, axes: Axes) -> None:
        of, (balance, held) = self._of, self._now
        times, values = _ends(self._balance.points(), (of.begin, of.balance), of.end)
        said = f"balance, at the end {balance:,f}"
        (line,) = axes.step(times, values, where="post", color=BALANCE, linewidth=1.4, label=said)
        line.set_gid("balance")
        times, values = _ends(self._held.points(), (of.begin, of.held), of.end)
        said = f"held, at the end {held:,f}"
        area = axes.fill_between(times, values, step="post", color=HELD, alpha=0.55, linewidth=0, label=said)
        area.set_gid("held")
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_ylabel(of.currency)
        axes.yaxis.set_major_formatter(Amounts())
        axes.tick_params(labelbottom=False)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, **FREE)

    def _draw_flows(self, axes: Axes) -> None:
        for name, flows, color in (("in", self._in, IN), ("out", self._out, OUT)):
            for place, amount in sorted(flows.items()):
                start, end = self._bins.start(place), self._bins.start(place + 1)
                width = at(end) - at(start)
                (bar,) = axes.bar(at(start), float(amount), width, align="edge", color=color, **EDGE)
                bar.set_gid(f"{name}.{start:%Y%m%dT%H%M%S}")
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_ylabel(self._of.currency)
        axes.yaxis.set_major_formatter(Amounts())
        handles = [Patch(color=IN, label="in"), Patch(color=OUT, label=f"out; a bar is {self._bins.name}")]
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, **FREE)


def _ends(points: Sequence[Point], opening: Point, end: datetime) -> tuple[list[float], list[float]]:
    """The line from where it begins to where it ends."""
    every = [opening, *points]
    every.append((end, every[-1][1]))
    return [at(moment) for moment, _ in every], [float(value) for _, value in every]
