"""Koshel: wallets on PostgreSQL.

from koshel import Ledger
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from koshel.config.settings import Settings as Settings
    from koshel.core.changes import Change as Change
    from koshel.core.commands import Kind as Kind
    from koshel.core.commands import Request as Request
    from koshel.core.commands import Status as Status
    from koshel.core.turnovers import Limit as Limit
    from koshel.db.reading.totals import Totals as Totals
    from koshel.db.reading.volume import Volume as Volume
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
    from koshel.inputs.legs import Source as Source
    from koshel.inputs.legs import Target as Target
    from koshel.inputs.values import Invalid as Invalid
    from koshel.library.account_books import Line as Line
    from koshel.library.account_books import Statement as Statement
    from koshel.library.exchanges import Exchange as Exchange
    from koshel.library.group_results import SplitResult as SplitResult
    from koshel.library.ledger import Ledger as Ledger
    from koshel.library.results import Account as Account
    from koshel.library.results import Balance as Balance
    from koshel.library.results import Hold as Hold
    from koshel.library.results import Promise as Promise
    from koshel.library.results import Transaction as Transaction

__version__ = "0.2.0"

_MODULES = {
    "Account": "koshel.library.results",
    "Balance": "koshel.library.results",
    "Change": "koshel.core.changes",
    "Conflict": "koshel.errors",
    "Exchange": "koshel.library.exchanges",
    "Hold": "koshel.library.results",
    "Invalid": "koshel.inputs.values",
    "Kind": "koshel.core.commands",
    "KoshelError": "koshel.errors",
    "Ledger": "koshel.library.ledger",
    "Limit": "koshel.core.turnovers",
    "Line": "koshel.library.account_books",
    "Misuse": "koshel.errors",
    "OutcomeUnknown": "koshel.errors",
    "Overloaded": "koshel.errors",
    "Promise": "koshel.library.results",
    "Promised": "koshel.errors",
    "Refused": "koshel.errors",
    "Request": "koshel.core.commands",
    "SchemaNotCurrent": "koshel.errors",
    "Settings": "koshel.config.settings",
    "Source": "koshel.inputs.legs",
    "SplitResult": "koshel.library.group_results",
    "Statement": "koshel.library.account_books",
    "Status": "koshel.core.commands",
    "StoreError": "koshel.errors",
    "Target": "koshel.inputs.legs",
    "Totals": "koshel.db.reading.totals",
    "Transaction": "koshel.library.results",
    "Unavailable": "koshel.errors",
    "Volume": "koshel.db.reading.volume",
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


def __dir__() -> list[str]:
    """What there is to use, loaded or not."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Load the library when it is asked for: a command that needs none of it starts at once."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    message = f"module 'koshel' has no attribute {name!r}"
    raise AttributeError(message)
