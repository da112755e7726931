"""Notes on a posted transaction: metadata and a description, changed later. The transaction itself never changes."""

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType


class Annotate(Struct, frozen=True, gc=False, tag="annotate"):
    """Change what is not UNSET of the notes on a transaction.

    Of `metadata`, which replaces what is there, and `metadata_patch`, which is merged into it, one at most is given.
    """

    ledger_id: int
    transaction_id: int
    metadata: Mapping[str, str] | UnsetType = UNSET
    metadata_patch: Mapping[str, str | None] | UnsetType = UNSET  # None removes an entry
    description: str | UnsetType | None = UNSET  # None: none
    key: str | None = None


def changed(
    now: Mapping[str, str], metadata: Mapping[str, str] | UnsetType, patch: Mapping[str, str | None] | UnsetType
) -> Mapping[str, str]:
    """Metadata of now, or what replaces it, or both merged (RFC 7396)."""
    if patch is UNSET:
        return now if metadata is UNSET else metadata
    merged = {**now, **patch}
    return {name: value for name, value in merged.items() if value is not None}
