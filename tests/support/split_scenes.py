"""Splits drawn by Hypothesis, with accounts that have little, much, holds, and limits by time."""

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from hypothesis import strategies as st

from koshel.core.book import after
from koshel.core.commands import Split
from koshel.core.legs import SplitSource, SplitTarget
from koshel.core.model import Account, Book
from koshel.core.money import from_units, plain
from koshel.core.turnovers import Period, Turnover
from tests.support.limited import limit
from tests.support.split_legs import of, split, to
from tests.support.split_oracle import Means
from tests.support.wallets import SCALES, account, book

SOURCES = [1, 2, 3, 4]
TARGETS = [5, 6]
SHARES = ["1/3", "1/3", "1/6", "2/7", "50%", "25%", "12.5%", "33.33%", "0.000000001%"]
PERIODS: list[Period] = ["1h", "1d"]


class Scene(NamedTuple):
    """A split, the accounts that it is about, and what these have."""

    command: Split
    book: Book
    means: dict[int, Means]
    scale: int


class _Purse(NamedTuple):
    """A source, in units."""

    balance: int
    held: int
    floor: int
    sent: int  # what has gone out, and counts
    limits: list[int] | None  # what may go out in an hour, and in a day

    def account(self, id_: int, currency: str) -> Account:
        balance, held, floor = (_text(one, SCALES[currency]) for one in (self.balance, self.held, self.floor))
        return account(id_, balance, currency, held=held, floor=floor, ceiling=None)

    def turnover(self, scale: int) -> Turnover:
        limits = [limit(per, _text(most, scale)) for per, most in zip(PERIODS, self.limits or (), strict=False)]
        return Turnover((), 0, {}, {}).given((*limits,), 0).sent(from_units(self.sent, scale))

    def means(self) -> Means:
        left = max(0, min(self.limits) - self.sent - self.held) if self.limits else None
        return Means(self.balance - self.held - self.floor, left)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Most of the splits can be made."""
    currency = draw(st.sampled_from([*SCALES]))
    scale = SCALES[currency]
    amount, is_hold = draw(_amounts(scale)), draw(st.booleans())
    if draw(st.booleans()):
        one = draw(st.sampled_from([TARGETS[0], None]))
        command = split(amount, target=one, sources=draw(_sources(scale)), is_hold=is_hold)
    else:
        one = draw(st.sampled_from([*SOURCES] if is_hold else [*SOURCES, None]))
        command = split(amount, source=one, targets=draw(_targets(amount, scale)), is_hold=is_hold)
    purses = {id_: draw(_purses()) for id_ in SOURCES}
    accounts = [one.account(id_, currency) for id_, one in purses.items()]
    accounts += [account(id_, "0", currency, ceiling=None) for id_ in TARGETS]
    started = after(book(*accounts), ())
    started.state.turnovers |= {id_: one.turnover(scale) for id_, one in purses.items() if one.limits is not None}
    return Scene(command, started, {id_: one.means() for id_, one in purses.items()}, scale)


@st.composite
def _purses(draw: st.DrawFn) -> _Purse:
    balance, floor = draw(st.integers(0, 2_500)), draw(st.sampled_from([0, 0, -300]))
    limits = draw(st.none() | st.lists(st.integers(0, 1_800), max_size=len(PERIODS)))
    return _Purse(balance, draw(st.integers(0, balance // 2)), floor, draw(st.integers(0, 300)), limits)


@st.composite
def _targets(draw: st.DrawFn, amount: str, scale: int) -> list[SplitTarget]:
    """Shares and amounts in any order: one of them takes the rest, or they add up without, or now and then do not."""
    parts: list[str | None] = [*draw(st.lists(st.sampled_from(SHARES) | _amounts(scale, 200), min_size=1, max_size=5))]
    match draw(st.sampled_from(["rest", "rest", "rest", "weights", "halves", "any"])):
        case "rest":
            parts.insert(draw(st.integers(0, len(parts))), None)
        case "weights":
            weights = draw(st.lists(st.integers(1, 9), min_size=1, max_size=9))
            parts = [f"{weight}/{sum(weights)}" for weight in weights]
        case "halves":
            parts = draw(st.permutations(["25%", f"{Decimal(amount) / 2:f}", "1/4"]))
        case _:
            pass
    return [to(draw(st.sampled_from(TARGETS)), part) for part in parts]


@st.composite
def _sources(draw: st.DrawFn, scale: int) -> list[SplitSource]:
    """With shares, bounds and neither in any order; the shares are never more than all, as is checked before."""
    shared = Fraction(0)
    legs: list[SplitSource] = []
    for _ in range(draw(st.integers(1, 6))):
        part = draw(st.none() | st.none() | st.sampled_from(SHARES) | _amounts(scale, 600))
        leg = of(draw(st.sampled_from(SOURCES)), part)
        if leg.share is not None:
            share = Fraction(leg.share[:-1]) / 100 if leg.share.endswith("%") else Fraction(leg.share)
            if shared + share > 1:
                continue
            shared += share
        legs.append(leg)
    if draw(st.booleans()):
        last = of(draw(st.sampled_from(SOURCES)), remaining=True)
        legs.insert(draw(st.integers(0, len(legs))), last)
    return legs or [of(SOURCES[0])]


@st.composite
def _amounts(draw: st.DrawFn, scale: int, most: int = 1_000) -> str:
    """Now and then with a decimal more than the currency has."""
    units = draw(st.integers(0 if draw(st.integers(0, 9)) == 0 else 1, most))
    tenths = draw(st.sampled_from([0, 0, 0, 4, 5, 9])) if units else 5
    return _text(10 * units + tenths, scale + 1)


def _text(units: int, scale: int) -> str:
    return plain(from_units(units, scale))
