"""The legs of a split: as they are asked for, and what one is that comes to nothing."""

from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from koshel.core.labelled import Labelled

AccountIdPair: TypeAlias = tuple[int | None, int | None]  # source's and target's account id


class SplitSource(Struct, frozen=True, gc=False, omit_defaults=True):
    """One of several sources: it gives its share, or all that remains, or else what it can spend, up to `max`."""

    source_account_id: int
    share: str | None = None  # of the whole amount: "85%" or "1/3"
    max: Decimal | None = None
    remaining: bool = False
    source: str | None = None  # its name, if it was asked for by that


class SplitTarget(Struct, frozen=True, gc=False, omit_defaults=True):
    """One of several targets: it gets its share, or an amount, or all that remains."""

    target_account_id: int
    share: str | None = None  # of the whole amount: "85%" or "1/3"
    amount: Decimal | None = None
    remaining: bool = False
    target: str | None = None  # its name, if it was asked for by that


class Legs(Labelled, frozen=True, gc=False, kw_only=True):
    """From each of the sources to one target, or from one source to each target.

    Either `sources` or `targets` has legs, and the account of that side is None. A side that is None and has no legs is
    the world outside.
    """

    source_account_id: int | None = None
    target_account_id: int | None = None
    source: str | None = None  # its name, if it was asked for by that
    target: str | None = None
    sources: tuple[SplitSource, ...] = ()
    targets: tuple[SplitTarget, ...] = ()

    @property
    def pairs(self) -> list[AccountIdPair]:
        """The source and the target of each leg, in order."""
        if self.sources:
            return [(one.source_account_id, self.target_account_id) for one in self.sources]
        return [(self.source_account_id, one.target_account_id) for one in self.targets]

    @property
    def names(self) -> list[tuple[str | None, str | None]]:
        """The names by which the source and the target of each leg were asked for, in order."""
        if self.sources:
            return [(one.source, self.target) for one in self.sources]
        return [(self.source, one.target) for one in self.targets]


class LeftOut(Struct, frozen=True, tag="left-out"):
    """A leg of a split that comes to nothing, and so is no transaction. Its amount is zero."""

    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal
    currency: str
    source: str | None = None  # the names of its accounts, if they have one
    target: str | None = None
