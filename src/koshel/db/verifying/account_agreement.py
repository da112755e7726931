"""Whether what was kept of an account that was opened or changed agrees with its row. No connection here.

As in `agreement`, each function says the first field that differs, None if all agree.
"""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from koshel.core import limits
from koshel.core.commands import OpenAccount, Status
from koshel.core.model import AccountDetails, Changed, Opened
from koshel.core.money import rounded_limit
from koshel.db.mapping import rows
from koshel.db.verifying.agreement import Row, first, metadata_of

_FIXED = ("ledger_id", "id", "currency", "scale", "name", "ctime")
_CHANGED = ("email", "min_balance", "max_balance", "status", "metadata", "limits")


def of_account(answer: Opened | Changed, row: Row, state: Row | None, change: Row | None) -> str | None:
    """An account as it was opened or changed, and as it is; `state` is what its version of then had left it with.

    `change` is what is kept of the change, or the opening; None of one that is older than what is kept.
    """
    then = answer.account
    if field := first(name for name in _FIXED if getattr(then, name) != row[name]):
        return field
    if field := first(name for name in ("version", "revision") if getattr(then, name) > row[name]):
        return field
    if (then.revision == 0) != isinstance(answer, Opened):
        return "revision"
    for one in (row if then.revision == row["revision"] else None, change):
        if one is not None and (field := _of_values(then, one)):
            return field
    balance, held = (state["balance"], state["held"]) if state else (Decimal(0), None)
    if (then.balance, then.held) != (balance, held or 0) or (then.version > 0) != (state is not None):
        return "balance"
    return _of_opening(answer) if isinstance(answer, Opened) else _of_change(answer)


def _of_values(then: AccountDetails, row: Row) -> str | None:
    now = dict(row) | {"metadata": metadata_of(row), "limits": _limits(row)}
    return first(name for name in _CHANGED if getattr(then, name) != now[name])


def _of_opening(answer: Opened) -> str | None:
    command, account = answer.command, answer.account
    if not isinstance(command, OpenAccount):
        return "key"  # another opening has none
    limit = command.default_max_balance if command.max_balance is UNSET else command.max_balance
    told = {
        "currency": command.default_currency if command.currency is UNSET else command.currency,
        "min_balance": _limit(command.min_balance, account.scale),
        "max_balance": _limit(limit, account.scale),
        "email": command.email,
        "metadata": command.metadata,
        "name": command.name,
        "id": account.id if command.name is None and not command.id else command.id,
        "limits": limits.rounded(command.limits, account.scale),
        "status": Status.OPEN,
        "version": 0,
        "revision": 0,
    }
    return first(name for name, value in told.items() if getattr(account, name) != value)


def _of_change(answer: Changed) -> str | None:
    command, account = answer.command, answer.account
    told: dict[str, Any] = {
        "id": command.account_id,
        "email": command.email,
        "status": command.status,
        "metadata": command.metadata,
    }
    told |= {name: _limit(getattr(command, name), account.scale) for name in ("min_balance", "max_balance")}
    told["limits"] = UNSET if command.limits is UNSET else limits.rounded(command.limits, account.scale)
    if field := first(name for name, value in told.items() if value is not UNSET and getattr(account, name) != value):
        return field
    if command.account is not None and account.name != command.account:
        return "account"
    patch = {} if command.metadata_patch is UNSET else command.metadata_patch
    if any(account.metadata.get(name) != value for name, value in patch.items()):
        return "metadata_patch"
    before = account.version, account.revision - 1
    if command.expected is not None and before not in command.expected:
        return "expected"
    return "unexpected" if command.unexpected is None or before in command.unexpected else None


def _limits(row: Row) -> Any:
    """None if they cannot be read."""
    try:
        return () if row["limits"] is None else rows.limits(row["limits"])
    except msgspec.DecodeError:
        return None


def _limit(asked: Any, scale: int) -> Any:
    return asked if asked is None or asked is UNSET else rounded_limit(asked, scale)
