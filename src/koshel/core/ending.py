"""What is asked for where all holds of a split are to end together."""

from typing import ClassVar, Literal

from koshel.core.labelled import Labelled


class EndSplit(Labelled, frozen=True, gc=False, tag="end-split", omit_defaults=True):
    """Capture, or void, what the holds of a split still reserve: all of them or none."""

    ledger_id: int
    split_id: int
    kind: Literal["capture", "void"]  # one of `Kind`
    holds: tuple[int, ...] = ()  # its transactions: they never change, so whoever sends the command finds them
    key: str | None = None
    amount: ClassVar[None] = None
    atomic: ClassVar[bool] = True

    @property
    def parent_id(self) -> int:
        """Its first hold."""
        return self.holds[0]
