"""The requests for splits: one amount, several accounts."""

from collections.abc import Iterable
from typing import Literal, Unpack

from msgspec import UNSET, UnsetType

from koshel.asking.terms import Terms
from koshel.core.commands import Kind, Split
from koshel.core.ending import EndSplit
from koshel.inputs import legs, values
from koshel.inputs.labels import GivenLabels, given
from koshel.inputs.moments import Moment, moment
from koshel.inputs.texts import OUTSIDE, AccountRef, Asked, asked
from koshel.inputs.values import Given, Invalid


class SplitRequests:
    """The requests for splits in one ledger. Each method raises Invalid for a value that can never be right."""

    def __init__(self, ledger_id: int, terms: Terms) -> None:
        self.terms = terms
        self.ledger_id = ledger_id

    def split(
        self,
        *,
        amount: Given,
        source: AccountRef | Asked | UnsetType | None = UNSET,
        target: AccountRef | Asked | UnsetType | None = UNSET,
        sources: Iterable[legs.Source] = (),
        targets: Iterable[legs.Target] = (),
        hold: bool = False,
        expires_in: int | UnsetType = UNSET,
        capture_at: Moment | UnsetType = UNSET,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Split:
        """Money from one source to several targets, or from several sources to one target; or reserved for that.

        A source or a target of None is the world outside.
        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        wanted, terms = values.amount(amount), self.terms
        sources, targets = legs.listed(sources, "sources"), legs.listed(targets, "targets")
        if not hold and (expires_in is not UNSET or capture_at is not UNSET):
            raise Invalid("expires_in" if capture_at is UNSET else "capture_at", "is of a hold: say hold=True")
        legs.check_sides(source, target, sources, targets, hold=hold)
        (source_id, source_name), (target_id, target_name) = (
            OUTSIDE if one is UNSET or one is None else asked(one, side)
            for one, side in ((source, "source"), (target, "target"))
        )
        return Split(
            self.ledger_id,
            Kind.HOLD if hold else legs.kind_of(source, target),
            wanted,
            UNSET if expires_in is UNSET else values.lifetime(expires_in, terms.hold_lifetime_max_s),
            key,
            terms.hold_lifetime_s,
            UNSET if capture_at is UNSET else moment(capture_at, "capture_at"),
            source_account_id=source_id,
            target_account_id=target_id,
            source=source_name,
            target=target_name,
            sources=legs.sources(wanted, sources) if sources else (),
            targets=legs.targets(wanted, targets) if targets else (),
            **given(labels),
        )

    def capture_split(self, group_id: int, *, key: str | None = None, **labels: Unpack[GivenLabels]) -> EndSplit:
        """All that the holds of a split still reserve, moved to their targets: of all of them, or of none.

        Who sends it finds the holds: a request is made without the database.
        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        return self._end(group_id, "capture", key, labels)

    def void_split(self, group_id: int, *, key: str | None = None, **labels: Unpack[GivenLabels]) -> EndSplit:
        """Release all that the holds of a split still reserve: of all of them, or of none.

        Who sends it finds the holds: a request is made without the database.
        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        return self._end(group_id, "void", key, labels)

    def _end(self, group_id: int, kind: Literal["capture", "void"], key: str | None, labels: GivenLabels) -> EndSplit:
        return EndSplit(self.ledger_id, group_id, kind, key=key, **given(labels))
