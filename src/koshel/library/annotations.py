"""Changes of the notes on a transaction: as a caller asks for one, and as the library answers."""

from msgspec import UNSET, UnsetType

from koshel.core.labelled import Metadata, MetadataPatch
from koshel.core.model import Annotated, Outcome
from koshel.core.notes import Annotate
from koshel.db.settling.notes import standing
from koshel.inputs.values import Invalid
from koshel.library.results import Transaction, first_of, read


def annotation(
    ledger_id: int,
    transaction_id: int,
    *,
    metadata: Metadata | UnsetType = UNSET,
    metadata_patch: MetadataPatch | UnsetType = UNSET,
    description: str | UnsetType | None = UNSET,
    key: str | None = None,
) -> Annotate:
    """A change of those notes that are given. Raises Invalid.

    `metadata` replaces what is there, `metadata_patch` is merged into it: None removes an entry. A description of None
    is none.
    """
    if metadata is not UNSET and metadata_patch is not UNSET:
        raise Invalid("metadata_patch", "does not go with metadata")
    return Annotate(ledger_id, transaction_id, metadata, metadata_patch, description, key)


def annotated_of(outcome: Outcome) -> Transaction:
    """What a change of notes has answered: the transaction as it stood then. Raises Refused."""
    first = first_of(outcome)
    assert isinstance(first, Annotated)
    found = read(standing(first))
    assert isinstance(found, Transaction)
    return found
