"""How much has moved, as it is answered: over HTTP, and by `koshel volume --json`."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.commands import Kind
from koshel.core.money import plain
from koshel.db.reading.volume import Grouping, Volume


class LedgerVolume(Struct, frozen=True):
    """What some transactions have moved that have these things in common; what was not asked for is left out."""

    currency: str
    transactions: Annotated[int, Meta(description="How many transactions, each counted once.")]
    total: Annotated[str, Meta(description="The sum of their amounts.")]
    name_prefix: Annotated[str | None, Meta(description="null: accounts without a name.")] | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    day: Annotated[str, Meta(description="In UTC.", extra_json_schema={"format": "date"})] | UnsetType = UNSET
    total_in: Annotated[str, Meta(description="How much came into accounts of the prefix.")] | UnsetType = UNSET
    total_out: Annotated[str, Meta(description="How much left accounts of the prefix.")] | UnsetType = UNSET


class LedgerVolumes(Struct, frozen=True):
    """How much has moved in a ledger."""

    volumes: Annotated[list[LedgerVolume], Meta(description="By name_prefix, currency, kind and day.")]


def shown(found: Sequence[Volume], by: Grouping) -> list[LedgerVolume]:
    """The volumes, as they are answered."""
    return [
        LedgerVolume(
            one.currency,
            one.transactions,
            plain(one.total),
            one.name_prefix if by.name_parts else UNSET,
            one.kind or UNSET,
            one.day.isoformat() if one.day else UNSET,
            UNSET if one.total_in is None else plain(one.total_in),
            UNSET if one.total_out is None else plain(one.total_out),
        )
        for one in found
    ]
