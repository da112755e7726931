"""Koshel: wallets on PostgreSQL.

from koshel import Ledger
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from koshel.db.errors import Conflict as Conflict
    from koshel.db.errors import StoreError as StoreError
    from koshel.ledger import Ledger as Ledger
    from koshel.ledger import Promised as Promised
    from koshel.ledger import Refused as Refused
    from koshel.ledger import SchemaNotCurrent as SchemaNotCurrent
    from koshel.queue import Overloaded as Overloaded
    from koshel.settings import Settings as Settings

__version__ = "0.2.0"
__all__ = [
    "Conflict",
    "Ledger",
    "Overloaded",
    "Promised",
    "Refused",
    "SchemaNotCurrent",
    "Settings",
    "StoreError",
    "__version__",
]

_MODULES = {
    "Conflict": "koshel.db.errors",
    "Ledger": "koshel.ledger",
    "Overloaded": "koshel.queue",
    "Promised": "koshel.ledger",
    "Refused": "koshel.ledger",
    "SchemaNotCurrent": "koshel.ledger",
    "Settings": "koshel.settings",
    "StoreError": "koshel.db.errors",
}


def __getattr__(name: str) -> Any:
    """Load the library when it is asked for: a command that needs none of it starts at once."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    message = f"module 'koshel' has no attribute {name!r}"
    raise AttributeError(message)
