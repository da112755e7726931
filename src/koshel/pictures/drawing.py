"""What all pictures have in common: their look, their axes, and how they become a file.

A picture is drawn without a screen: no window, no state that others share. In SVG a text stays a text, and whatever is
drawn has an id.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import PurePath
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter

from koshel.core.money import SCALE_MAX
from koshel.files.written import written

SUFFIXES: Final = (".svg", ".png")
DOTS_PER_INCH = 150
EDGE: Final[Mapping[str, Any]] = {"edgecolor": "white", "linewidth": 0.4}  # of a bar
FREE: Final[Mapping[str, Any]] = {"frameon": False, "borderaxespad": 0.3}  # a legend without a box
GREY, FAINT = "#555555", "#dddddd"
_LOOK: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "koshel",  # or each file of the same picture would have other ids
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.1,
    "timezone": "UTC",
}
# Of marks that are years, months, days, hours, minutes or seconds; and of the first one in a longer stretch.
_TIMES = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S.%f"]
_FIRST_TIMES = ["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"]


@contextmanager
def look() -> Iterator[None]:
    """In this block what is drawn looks as all pictures do."""
    with mpl.rc_context(_LOOK):
        yield


def titled(figure: Figure, title: str, facts: str) -> None:
    """What the picture is of, in large letters, and the facts below that in small ones."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=14, fontweight="bold", parse_math=False).set_gid("title")
    axes = figure.axes[0]
    axes.set_title(facts, loc="left", fontsize=10, color=GREY, pad=28, parse_math=False).set_gid("facts")


def at(moment: datetime) -> float:
    """Where a moment is on an axis of time."""
    return float(date2num(moment))


def time_axis(axes: Axes, begin: datetime, end: datetime) -> None:
    """Time from left to right, in UTC."""
    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    shown = ConciseDateFormatter(locator, tz=UTC, formats=_TIMES, zero_formats=_FIRST_TIMES, show_offset=False)
    axes.xaxis.set_major_formatter(shown)
    axes.set_xlim(at(begin), at(end))
    axes.set_xlabel("time (UTC)")


class Amounts(Formatter):
    """The numbers at an axis of amounts: 12,500 or 0.25, with as many decimals as tell one from the next."""

    _step = 0.0  # from one to the next; 0: there is no other

    def set_locs(self, locs: Any) -> None:
        """Where all of them are, before they are asked for one by one."""
        super().set_locs(locs)
        self._step = min((after - before for before, after in pairwise(sorted({*map(float, locs)}))), default=0.0)

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The number at one place; `pos` says which of them it is, and changes nothing."""
        del pos
        decimals = _decimals(self._step, 0.01) if self._step else _decimals(abs(x), 1e-9)
        text = f"{x:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if decimals else text
        return "0" if text == "-0" else text


def _decimals(number: float, error: float) -> int:
    """How many decimals a number needs to be said with no greater error than this part of it."""
    enough = (count for count in range(SCALE_MAX) if abs(round(number, count) - number) <= error * number)
    return next(enough, SCALE_MAX)


def rendered(figure: Figure, form: str) -> bytes:
    """The picture as a file has it: `svg` or `png`. The same picture is the same, whenever it is drawn."""
    file = io.BytesIO()
    metadata = {"Creator": "Koshel"} | ({"Date": None} if form == "svg" else {})
    with look():
        figure.savefig(file, format=form, dpi=DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()


def save(figure: Figure, path: str) -> None:
    """Write the picture, in the format that the file's name ends in. Raises OSError."""
    with written(path) as file:
        file.write(rendered(figure, PurePath(path).suffix.lower().removeprefix(".")))
