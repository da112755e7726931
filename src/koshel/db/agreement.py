"""Whether what was kept of a request agrees with what became of it. No connection here.

Each function says the first field that differs, None if all agree. A row has a transaction's or an account's columns by
their names, metadata as text; a hold also `lifetime_s`, from its time to its end; and a follower `parent_reference`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from koshel.core.commands import (
    LABELS,
    Direct,
    Due,
    EnsureAccount,
    Execute,
    Group,
    Hold,
    OpenAccount,
    Request,
    Status,
)
from koshel.core.model import Changed, Declined, Opened, Queued, Replayed
from koshel.core.money import SCALE_MAX, rounded, rounded_limit
from koshel.db.group_receipts import MemberReceipt, NamedMove, restored

Row: TypeAlias = Mapping[str, Any]

_SIDES = ("source_account_id", "target_account_id")
_FIXED = ("ledger_id", "id", "currency", "scale", "name", "ctime")  # of an account
_CHANGED = ("email", "min_balance", "max_balance", "status", "metadata")


def of_request(request: Request, row: Row) -> str | None:
    """A request, and the transaction that it has become. There may be millions, so one `if` after the other."""
    if request.ledger_id != row["ledger_id"]:
        return "ledger_id"
    if request.key != row["idempotency_key"]:
        return "idempotency_key"
    if request.kind != row["kind"]:
        return "kind"
    if isinstance(request, Direct):
        if field := _of_sides(request, row):
            return field
    elif request.parent_id != row["parent_id"]:
        return "parent_id"
    amount = request.amount
    if amount is not None and amount != row["amount"] and _rounded(amount, _scale(row["amount"])) != row["amount"]:
        return "amount"
    if isinstance(request, Hold) and (field := _of_hold(request, row)):
        return field
    return _first(n for n in LABELS if _label(request, n, row) != (_metadata(row) if n == "metadata" else row[n]))


def _of_sides(request: Direct, row: Row) -> str | None:
    """An account that was asked for by its name may not have been there when the request was queued."""
    if request.source_account_id != row["source_account_id"] and (request.source is None or request.source_account_id):
        return "source_account_id"
    if request.target_account_id != row["target_account_id"] and (request.target is None or request.target_account_id):
        return "target_account_id"
    if request.source is not None and request.source != row["source_name"]:
        return "source"
    return "target" if request.target is not None and request.target != row["target_name"] else None


def of_named(member: NamedMove, row: Row) -> str | None:
    """A group's move that was asked for by names, and the names of its transaction's accounts."""
    _, *names = member
    asked = zip(("source", "target"), names, strict=True)
    return _first(side for side, name in asked if name is not None and name != row[f"{side}_name"])


def _of_hold(request: Hold, row: Row) -> str | None:
    if row["lifetime_s"] != _lifetime_s(request):
        return "expires_at"
    return None if (request.capture_at or None) == row["capture_at"] else "capture_at"


def of_queued(queued: Queued) -> str | None:
    """A queued transaction, and its own request; of what follows another one, the sides may not have been known."""
    request = queued.command.command
    if (request.ledger_id, request.key) != (queued.command.ledger_id, queued.command.key):
        return "idempotency_key"
    told = _told(request)
    if queued.currency is not None and queued.amount is not None and told["amount"] is not None:
        told["amount"] = _rounded(told["amount"], _scale(queued.amount))
    return _first(name for name, value in told.items() if getattr(queued, name) != value)


def of_executed(queued: Queued, row: Row) -> str | None:
    """A queued transaction, and what it was posted as."""
    if field := of_request(queued.command.command, row):
        return field
    known = [name for name in (*_SIDES, "currency") if getattr(queued, name) is not None]
    if field := _first(name for name in known if getattr(queued, name) != row[name]):
        return field
    is_later = isinstance(row["ctime"], datetime) and queued.ctime <= row["ctime"]
    return None if is_later else "ctime"


def of_account(answer: Opened | Changed, row: Row, state: Row | None) -> str | None:
    """An account as it was opened or changed, and as it is; `state` is what its version of then had left it with."""
    then = answer.account
    if field := _first(name for name in _FIXED if getattr(then, name) != row[name]):
        return field
    if field := _first(name for name in ("version", "revision") if getattr(then, name) > row[name]):
        return field
    if (then.revision == 0) != isinstance(answer, Opened):
        return "revision"
    if then.revision == row["revision"]:
        now = dict(row) | {"metadata": _metadata(row)}
        if field := _first(name for name in _CHANGED if getattr(then, name) != now[name]):
            return field
    balance, held = (state["balance"], state["held"]) if state else (Decimal(0), None)
    if (then.balance, then.held) != (balance, held or 0) or (then.version > 0) != (state is not None):
        return "balance"
    return _of_opening(answer) if isinstance(answer, Opened) else _of_change(answer)


def outcome(member: MemberReceipt) -> Row | None:
    """The transaction that a group's member became, as JSON has it; of one that was replayed, what was first."""
    one: Row = msgspec.to_builtins(member.outcome)
    while one.get("type") == "replayed" and isinstance(one.get("first"), dict):  # what is kept may be wrong
        one = one["first"]
    return one if one.get("type") == "posted" else None


def is_own(member: MemberReceipt) -> bool:
    """Whether its transaction came with the group."""
    return bool(msgspec.to_builtins(member.outcome).get("type") == "posted")


def is_answered(member: MemberReceipt) -> bool:
    """Whether a refused member was refused what it asked for; a replayed refusal may have been of another form."""
    answer = restored(member.outcome)
    return isinstance(answer, Replayed) or bool(answer.command == member.command)


def of_member(member: MemberReceipt, told: Row, row: Row, parent: Row | None) -> str | None:
    """A transaction as the answer to a group tells it, its row, the row of what it follows, and what was asked for."""
    now = msgspec.to_builtins(dict(row) | {"metadata": _metadata(row)})
    now["key"] = now.pop("idempotency_key")
    if field := _first(name for name, value in now.items() if told.get(name) != value):
        return field
    asked = msgspec.convert(told.get("request"), Request | None)
    if is_own(member) and asked not in (None, member.command):
        return "request"
    if isinstance(member.command, EnsureAccount | Due | Execute):
        return None
    more = {"lifetime_s": _seconds(row["ctime"], row["expires_at"]), "parent_reference": parent and parent["reference"]}
    return of_request(member.command, dict(row) | more)


def is_caused(answer: Declined) -> bool:
    """Whether the first member that was refused, if a group was, is the one that its refusal names."""
    command, index = answer.command, answer.facts.get("index")
    if not isinstance(command, Group) or answer.cause is None:
        return answer.cause is None and index is None
    is_place = isinstance(index, int) and 0 <= index < len(command.members)
    return is_place and command.members[int(index or 0)] == answer.cause.command


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
        "status": Status.OPEN,
        "version": 0,
        "revision": 0,
    }
    return _first(name for name, value in told.items() if getattr(account, name) != value)


def _of_change(answer: Changed) -> str | None:
    command, account = answer.command, answer.account
    told = {"id": command.account_id, "email": command.email, "status": command.status, "metadata": command.metadata}
    told |= {name: _limit(getattr(command, name), account.scale) for name in ("min_balance", "max_balance")}
    if field := _first(name for name, value in told.items() if value is not UNSET and getattr(account, name) != value):
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


def _told(request: Request) -> dict[str, Any]:
    """What a request says of its transaction; the amount as it was sent, None for all that is left."""
    told = {name: getattr(request, name) for name in ("parent_id", "kind", "amount")}
    if isinstance(request, Direct):  # who was asked for by a name may not have been there
        told |= {name: getattr(request, name) or None for name in _SIDES}
        told |= {name: asked for name in ("source", "target") if (asked := getattr(request, name)) is not None}
    return told


def _lifetime_s(request: Hold) -> int:
    return request.default_expires_in if request.expires_in is UNSET else request.expires_in


def _rounded(amount: Decimal, scale: int) -> Decimal | None:
    try:
        return rounded(amount, scale) if 0 <= scale <= SCALE_MAX else None
    except ArithmeticError:
        return None


def _label(request: Request, name: str, row: Row) -> Any:
    """What the request says; of a reference that it does not say, its parent's, if it has a parent."""
    said = getattr(request, name)
    return row["parent_reference"] if said is None and name == "reference" and request.parent_id is not None else said


def _metadata(row: Row) -> Any:
    """It comes as text, and is nearly always empty."""
    return {} if row["metadata"] == "{}" else msgspec.json.decode(row["metadata"])


def _seconds(start: object, end: object) -> float | None:
    """None if there is none, or if a time is none that Python knows, such as infinity."""
    return (end - start).total_seconds() if isinstance(start, datetime) and isinstance(end, datetime) else None


def _limit(asked: Any, scale: int) -> Any:
    return asked if asked is None or asked is UNSET else rounded_limit(asked, scale)


def _scale(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _first(differing: Iterable[str]) -> str | None:
    return next(iter(differing), None)
