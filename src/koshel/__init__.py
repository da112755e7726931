"""Koshel: wallets on PostgreSQL.

from koshel import Ledger
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from koshel.account_books import Line as Line
    from koshel.account_books import Statement as Statement
    from koshel.config.settings import Settings as Settings
    from koshel.core.changes import Change as Change
    from koshel.core.commands import Kind as Kind
    from koshel.core.commands import Request as Request
    from koshel.core.commands import Status as Status
    from koshel.core.turnovers import Limit as Limit
    from koshel.db.totals import Totals as Totals
    from koshel.db.volume import Volume as Volume
    from koshel.errors import Conflict as Conflict
    from koshel.errors import KoshelError as KoshelError
    from koshel.errors import Misuse as Misuse
    from koshel.errors import OutcomeUnknown as OutcomeUnknown
    from koshel.errors import Overloaded as Overloaded
    from koshel.errors import Promised as Promised
    from koshel.errors import Refused as Refused
    from koshel.errors import SchemaNotCurrent as SchemaNotCurrent
    from koshel.errors import StoreError as StoreError
    from koshel.errors import Unavailable as Unavailable
    from koshel.exchanges import Exchange as Exchange
    from koshel.group_results import SplitResult as SplitResult
    from koshel.ledger import Ledger as Ledger
    from koshel.legs import Source as Source
    from koshel.legs import Target as Target
    from koshel.results import Account as Account
    from koshel.results import Balance as Balance
    from koshel.results import Hold as Hold
    from koshel.results import Promise as Promise
    from koshel.results import Transaction as Transaction
    from koshel.values import Invalid as Invalid

__version__ = "0.2.0"

_MODULES = {
    "Account": "koshel.results",
    "Balance": "koshel.results",
    "Change": "koshel.core.changes",
    "Conflict": "koshel.errors",
    "Exchange": "koshel.exchanges",
    "Hold": "koshel.results",
    "Invalid": "koshel.values",
    "Kind": "koshel.core.commands",
    "KoshelError": "koshel.errors",
    "Ledger": "koshel.ledger",
    "Limit": "koshel.core.turnovers",
    "Line": "koshel.account_books",
    "Misuse": "koshel.errors",
    "OutcomeUnknown": "koshel.errors",
    "Overloaded": "koshel.errors",
    "Promise": "koshel.results",
    "Promised": "koshel.errors",
    "Refused": "koshel.errors",
    "Request": "koshel.core.commands",
    "SchemaNotCurrent": "koshel.errors",
    "Settings": "koshel.config.settings",
    "Source": "koshel.legs",
    "SplitResult": "koshel.group_results",
    "Statement": "koshel.account_books",
    "Status": "koshel.core.commands",
    "StoreError": "koshel.errors",
    "Target": "koshel.legs",
    "Totals": "koshel.db.totals",
    "Transaction": "koshel.results",
    "Unavailable": "koshel.errors",
    "Volume": "koshel.db.volume",
}
__all__ = [
    "Account",
    "Balance",
    "Change",
    "Conflict",
    "Exchange",
    "Hold",
    "Invalid",
    "Kind",
    "KoshelError",
    "Ledger",
    "Limit",
    "Line",
    "Misuse",
    "OutcomeUnknown",
    "Overloaded",
    "Promise",
    "Promised",
    "Refused",
    "Request",
    "SchemaNotCurrent",
    "Settings",
    "Source",
    "SplitResult",
    "Statement",
    "Status",
    "StoreError",
    "Target",
    "Totals",
    "Transaction",
    "Unavailable",
    "Volume",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load the library when it is asked for: a command that needs none of it starts at once."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    message = f"module 'koshel' has no attribute {name!r}"
    raise AttributeError(message)
