"""The refusal of a split whose sources may not give the amount yet, for their limits by time, and when they may.

A limit lets more out each time that a part of its window is past. The first of these times at which the sources give
the whole amount is when the split fits.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from koshel.core import declined_times
from koshel.core.book import available
from koshel.core.commands import Split
from koshel.core.model import Account, Book, Declined
from koshel.core.money import ZEROS, add, plus, subtract
from koshel.core.parts import Given, given
from koshel.core.turnovers import LAST, Excess, Limit


class _Release(NamedTuple):
    """A time at which a limit of an account lets more out."""

    at: datetime
    account_id: int
    limit: Limit


def out_of_limits(book: Book, command: Split, accounts: Mapping[int, Account], amount: Decimal) -> Declined | None:
    """The refusal, or None if the limits of the sources let the amount out now. The sources have the amount."""
    limited = _Limited(book, command, accounts, amount)
    if limited.fits(book.facts.now):
        return None
    releases = limited.releases()
    place = bisect_left(releases, x=True, key=lambda release: limited.fits(release.at))
    if place == len(releases):
        return limited.never()
    parts = limited.parts(releases[place].at)
    together = [one for one in releases[place:] if one.at == releases[place].at]
    return next(
        refusal
        for one in together
        if (refusal := limited.refusal(one.account_id, parts, one.limit, one.at)) is not None
    )


class _Limited:
    """The sources of a split, some of which have limits by time."""

    def __init__(self, book: Book, command: Split, accounts: Mapping[int, Account], amount: Decimal) -> None:
        self._now = book.facts.now
        self._command = command
        self._amount = amount
        self._turnovers = book.state.turnovers
        self._accounts = {leg.source_account_id: accounts[leg.source_account_id] for leg in command.sources}

    def fits(self, moment: datetime) -> bool:
        """Whether the sources may give the amount then, if nothing else moves."""
        return self._given(moment).is_whole

    def parts(self, moment: datetime) -> Mapping[int, Decimal]:
        """What each account gives then."""
        return self._by_account(self._given(moment))

    def releases(self) -> Sequence[_Release]:
        """In their order; of one time, in the order of the sources."""
        found = [
            _Release(at, id_, limit)
            for id_ in self._accounts
            for limit in self._limits(id_)
            for at in self._turnovers[id_].releases(limit.per, "out", self._now)
        ]
        return sorted(found, key=lambda release: release.at)

    def refusal(
        self, account_id: int, parts: Mapping[int, Decimal], limit: Limit, fits_at: datetime | None
    ) -> Declined | None:
        """The refusal for this limit, if the account would have to give more than the limit lets out now."""
        account, amount = self._accounts[account_id], parts[account_id]
        assert limit.out is not None
        left = self._left(account_id, limit, self._now)
        if amount <= left:
            return None
        excess = Excess(limit.per, limit.out, max(left, subtract(limit.out, limit.out)), fits_at)
        return declined_times.limit_exceeded(self._command, account, "out", amount, excess)

    def never(self) -> Declined:
        """The refusal of the first account that never may give what it would have to."""
        parts = self._by_account(self._given(None))
        tightest = {id_: min(limits, key=_out) for id_ in self._accounts if (limits := self._limits(id_))}
        id_ = next(id_ for id_, limit in tightest.items() if self._left(id_, limit, LAST) < parts[id_])
        refusal = self.refusal(id_, parts, tightest[id_], None)
        assert refusal is not None, "what never fits does not fit now"
        return refusal

    def _limits(self, account_id: int) -> Sequence[Limit]:
        turnover = self._turnovers.get(account_id)
        return [] if turnover is None else [limit for limit in turnover.limits if limit.out is not None]

    def _left(self, account_id: int, limit: Limit, moment: datetime) -> Decimal:
        """What the limit lets out then, beside what open holds reserve."""
        assert limit.out is not None
        used = self._turnovers[account_id].used_at(limit.per, "out", moment, self._now)
        return subtract(limit.out, add(used, self._accounts[account_id].held))

    def _given(self, moment: datetime | None) -> Given:
        """What the sources give then; at no moment: without their limits."""
        spendable = {id_: available(account) for id_, account in self._accounts.items()}
        if moment is not None:
            for id_ in self._accounts:
                lefts = [self._left(id_, limit, moment) for limit in self._limits(id_)]
                spendable[id_] = min([spendable[id_], *(max(Decimal(0), left) for left in lefts)])
        one = next(iter(self._accounts.values()))
        return given(self._command, spendable, one, self._amount)

    def _by_account(self, all_given: Given) -> Mapping[int, Decimal]:
        one = next(iter(self._accounts.values()))
        sums = dict.fromkeys(self._accounts, ZEROS[one.scale])
        for leg, part in zip(self._command.sources, all_given.parts, strict=True):
            id_ = leg.source_account_id
            sums[id_] = plus(sums[id_], part)
        return sums


def _out(limit: Limit) -> Decimal:
    assert limit.out is not None, "only such limits are asked for"
    return limit.out
