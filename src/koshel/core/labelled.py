"""What a caller says of a transaction that moves no money, and what anything may be told besides: metadata."""

from collections.abc import Mapping
from datetime import date
from operator import attrgetter
from typing import Any, TypeAlias

from msgspec import Struct, field

Metadata: TypeAlias = Mapping[str, str]
MetadataPatch: TypeAlias = Mapping[str, str | None]  # merged into what is there; None removes an entry

METADATA_MAX = 50  # entries


class Labelled(Struct, frozen=True, gc=False, kw_only=True):
    """What a caller says of a transaction that moves no money. Of an expiry nobody says anything."""

    metadata: Metadata = field(default_factory=dict)
    reference: str | None = None  # the caller's own name for what it is about; what follows a transaction keeps it
    description: str | None = None
    effective_on: date | None = None  # the day that it counts for, as accountants say it; None: its own day in UTC


LABELS = Labelled.__struct_fields__
_values = attrgetter(*LABELS)
_NOTHING = _values(Labelled())


def labels(one: Struct) -> Mapping[str, Any]:
    """The labels of whatever has fields of these names; empty where nothing is said, as nearly always."""
    return {} if _values(one) == _NOTHING else {name: getattr(one, name) for name in LABELS}
