"""What has moved in a ledger as a picture: bars for each currency, stacked by kind.

A bar is a day, or a week and longer where the days are many; or else the beginning of names, the greatest above.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from msgspec import Struct

from koshel.core.commands import Kind
from koshel.core.money import ZEROS, add
from koshel.db.reading.volume import Grouping, Volume
from koshel.pictures.bins import bins
from koshel.pictures.drawing import EDGE, FREE, Amounts, at, look, time_axis, titled

BINS_MAX = 92  # a quarter of a year, by day
NAMES_MAX = 15  # bars of a currency
CURRENCIES_MAX = 8
COLORS: Final[Mapping[Kind | None, str]] = {  # told apart by those who see few colours too; from the bottom up
    Kind.PAYMENT: "#009e73",
    Kind.TRANSFER: "#0072b2",
    Kind.CAPTURE: "#56b4e9",
    Kind.REFUND: "#cc79a7",
    Kind.WITHDRAWAL: "#d55e00",
    None: "#0072b2",  # of all kinds together
}
NAMELESS = "without a name"


class Of(Struct, frozen=True):
    """What a picture is of: a ledger from one moment to another; None: from its beginning, or until now."""

    ledger: str
    since: datetime | None
    until: datetime | None
    by: Grouping


def drawn(of: Of, volumes: Sequence[Volume]) -> Figure:
    """The picture of volumes that are grouped by day or by name, and not by both."""
    rows = _by_currency(volumes)
    shown = rows[:CURRENCIES_MAX]
    with look():
        figure = Figure(figsize=(10, 2.2 + 2.8 * max(1, len(shown))), layout="constrained")
        every = list(figure.subplots(max(1, len(shown)), squeeze=False)[:, 0])
        what = "nothing has moved"
        if not shown:
            every[0].set_axis_off()
        for axes, (currency, found) in zip(every, shown, strict=False):
            what = _draw_days(axes, currency, found) if of.by.by_day else _draw_names(axes, currency, found)
        _legend(every[0], {part.get_gid().split(".")[1] for axes in every for part in axes.patches})
        facts = [_between(of, volumes), what]
        if len(rows) > CURRENCIES_MAX:
            facts.append(f"{len(rows) - CURRENCIES_MAX} more currencies are not shown")
        titled(figure, f"Volume of the ledger {of.ledger}", " · ".join(facts))
    return figure


def _by_currency(volumes: Sequence[Volume]) -> list[tuple[str, Sequence[Volume]]]:
    """Of each currency its own, the one with most transactions first."""
    found: defaultdict[str, list[Volume]] = defaultdict(list)
    for one in volumes:
        found[one.currency].append(one)
    return sorted(found.items(), key=lambda row: (-sum(one.transactions for one in row[1]), row[0]))


def _draw_days(axes: Axes, currency: str, volumes: Sequence[Volume]) -> str:
    moments = [_midnight(one) for one in volumes]
    first, last = min(moments), max(moments)
    cut = bins(first, last, BINS_MAX, least="a day")
    for place, kind, bottom, amount in _stacked((cut.place(_midnight(one)), one) for one in volumes):
        start, end = cut.start(place), cut.start(place + 1)
        width = at(end) - at(start)
        (bar,) = axes.bar(at(start), amount, width, bottom, align="edge", color=COLORS[kind], **EDGE)
        bar.set_gid(f"{currency}.{kind or 'all'}.{start:%Y%m%d}")
    time_axis(axes, cut.start(cut.place(first)), cut.start(cut.place(last) + 1))
    axes.set_ylabel(currency)
    axes.yaxis.set_major_formatter(Amounts())
    return f"a bar is {cut.name}"


def _draw_names(axes: Axes, currency: str, volumes: Sequence[Volume]) -> str:
    names = _greatest(volumes)
    shown = names[:NAMES_MAX]
    places = {name: place for place, name in enumerate(shown)}
    parts = _stacked((places[_name(one)], one) for one in volumes if _name(one) in places)
    for place, kind, left, amount in parts:
        (bar,) = axes.barh(place, amount, 0.8, left, color=COLORS[kind], **EDGE)
        bar.set_gid(f"{currency}.{kind or 'all'}.{shown[place].replace(' ', '-')}")
    axes.set_yticks(range(len(shown)), shown, parse_math=False)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(currency)
    axes.xaxis.set_major_formatter(Amounts())
    if len(names) > NAMES_MAX:
        axes.set_ylabel(f"the {NAMES_MAX} greatest of {len(names):,}")
    return "what moves between two names is in the bars of both"


def _name(one: Volume) -> str:
    return NAMELESS if one.name_prefix is None else one.name_prefix


def _greatest(volumes: Sequence[Volume]) -> Sequence[str]:
    """The names, that with most volume first."""
    totals: defaultdict[str, Decimal] = defaultdict(lambda: ZEROS[0])
    for one in volumes:
        totals[_name(one)] = add(totals[_name(one)], one.total)
    return sorted(sorted(totals), key=lambda name: totals[name], reverse=True)


def _stacked(placed: Iterable[tuple[int, Volume]]) -> Iterator[tuple[int, Kind | None, float, float]]:
    """Each part of each bar: of which bar, of which kind, where it begins, and how long it is."""
    sums: defaultdict[tuple[int, Kind | None], Decimal] = defaultdict(lambda: ZEROS[0])
    for place, one in placed:
        sums[place, one.kind] = add(sums[place, one.kind], one.total)
    ends: defaultdict[int, Decimal] = defaultdict(lambda: ZEROS[0])
    order = [*COLORS]
    for place, kind in sorted(sums, key=lambda part: (part[0], order.index(part[1]))):
        amount = sums[place, kind]
        yield place, kind, float(ends[place]), float(amount)
        ends[place] = add(ends[place], amount)


def _legend(axes: Axes, kinds: Container[str]) -> None:
    handles = [Patch(color=COLORS[kind], label=kind or "all kinds") for kind in COLORS if (kind or "all") in kinds]
    if handles:
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=5, **FREE)


def _midnight(one: Volume) -> datetime:
    assert one.day is not None
    return datetime.combine(one.day, time(tzinfo=UTC))


def _between(of: Of, volumes: Sequence[Volume]) -> str:
    days = [one.day for one in volumes if one.day is not None]
    first = f"{min(days)}" if days else "the beginning"
    last = f"to {max(days)}" if days else "until now"
    since = first if of.since is None else f"{of.since:%Y-%m-%d %H:%M}"
    until = last if of.until is None else f"until {of.until:%Y-%m-%d %H:%M}"
    return f"from {since} {until} (UTC)"
