"""Whether what was kept of a request agrees with what became of it. No connection here.

Each function says the first field that differs, None if all agree. A row has a transaction's or an account's columns by
their names, metadata as text; a hold also `lifetime_s`, from its time to its end; and a follower `parent_reference`.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from koshel.core.commands import (
    Direct,
    Due,
    EnsureAccount,
    Execute,
    Group,
    Hold,
    Request,
)
from koshel.core.ending import EndSplit
from koshel.core.ends import ends
from koshel.core.exchanging import Exchange
from koshel.core.labelled import LABELS
from koshel.core.model import Declined, Replayed
from koshel.core.money import SCALE_MAX, converted, rounded
from koshel.db.mapping.group_receipts import MemberReceipt, NamedMove, restored

Row: TypeAlias = Mapping[str, Any]

SIDES = ("source_account_id", "target_account_id")


def said(wrong: Callable[..., str | None], *arguments: Any) -> str | None:
    """What is wrong. What was kept may be valid JSON and say what nothing can be made of, such as a limit of NaN."""
    try:
        return wrong(*arguments)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return "says what cannot be"


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
    if amount is not None and amount != row["amount"] and rounded_to(amount, scale(row["amount"])) != row["amount"]:
        return "amount"
    if isinstance(request, Hold) and (field := _of_hold(request, row)):
        return field
    return first(n for n in LABELS if _label(request, n, row) != (metadata_of(row) if n == "metadata" else row[n]))


def _of_sides(request: Direct, row: Row) -> str | None:
    """An account that was asked for by its name may not have been there when the request was queued."""
    if request.source_account_id != row["source_account_id"] and (request.source is None or request.source_account_id):
        return "source_account_id"
    if request.target_account_id != row["target_account_id"] and (request.target is None or request.target_account_id):
        return "target_account_id"
    if request.source is not None and request.source != row["source_name"]:
        return "source"
    return "target" if request.target is not None and request.target != row["target_name"] else None


def of_exchange(exchange: Exchange, source: Row, target: Row) -> str | None:
    """An exchange, and the rows of its two transactions."""
    accounts = dict(exchange.exchange_accounts)
    given = rounded_to(exchange.source_amount, scale(source["amount"]))
    gotten = exchange.target_amount
    if exchange.rate is not None and given is not None and gotten is None:
        gotten = _product(given, exchange.rate, scale(target["amount"]))
    told = {
        "source_account_id": exchange.source_account_id == source["source_account_id"],
        "target_account_id": exchange.target_account_id == target["target_account_id"],
        "source": exchange.source in {None, source["source_name"]},
        "target": exchange.target in {None, target["target_name"]},
        "source_amount": given == source["amount"],
        "rate": (exchange.rate is None) != (exchange.target_amount is None),
        "target_amount": gotten is not None and rounded_to(gotten, scale(target["amount"])) == target["amount"],
        "exchange_accounts": accounts.get(source["currency"]) == source["target_account_id"]
        and accounts.get(target["currency"]) == target["source_account_id"],
    }
    for name in LABELS:
        rows = [metadata_of(row) if name == "metadata" else row[name] for row in (source, target)]
        told[name] = rows == [getattr(exchange, name)] * 2
    return first(name for name, agrees in told.items() if not agrees)


def of_named(member: NamedMove, row: Row) -> str | None:
    """A group's move that was asked for by names, and the names of its transaction's accounts."""
    _, *names = member
    asked = zip(("source", "target"), names, strict=True)
    return first(side for side, name in asked if name is not None and name != row[f"{side}_name"])


def _of_hold(request: Hold, row: Row) -> str | None:
    if row["lifetime_s"] != _lifetime_s(request):
        return "expires_at"
    return None if (request.capture_at or None) == row["capture_at"] else "capture_at"


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
    now = msgspec.to_builtins(dict(row) | {"metadata": metadata_of(row)})
    now["key"] = now.pop("idempotency_key")
    if field := first(name for name, value in now.items() if told.get(name) != value):
        return field
    asked = msgspec.convert(told.get("request"), Request | None)
    if is_own(member) and asked not in (None, member.command):
        return "request"
    if isinstance(member.command, EnsureAccount | Due | Execute):
        return None
    if isinstance(member.command, Exchange):
        return "kind"
    more = {"lifetime_s": _seconds(row["ctime"], row["expires_at"]), "parent_reference": parent and parent["reference"]}
    return of_request(member.command, dict(row) | more)


def is_caused(answer: Declined) -> bool:
    """Whether the first member that was refused, if a group was, is the one that its refusal names."""
    command, index = answer.command, answer.facts.get("index")
    if not isinstance(command, Group | EndSplit) or answer.cause is None:
        return answer.cause is None and index is None
    members = ends(command) if isinstance(command, EndSplit) else command.members
    is_place = isinstance(index, int) and 0 <= index < len(members)
    return is_place and members[int(index or 0)] == answer.cause.command


def _lifetime_s(request: Hold) -> int:
    return request.default_expires_in if request.expires_in is UNSET else request.expires_in


def rounded_to(amount: Decimal, scale: int) -> Decimal | None:
    """None if it cannot be."""
    try:
        return rounded(amount, scale) if 0 <= scale <= SCALE_MAX else None
    except ArithmeticError:
        return None


def _product(amount: Decimal, rate: Decimal, scale: int) -> Decimal | None:
    try:
        return converted(amount, rate, scale) if 0 <= scale <= SCALE_MAX else None
    except ArithmeticError:
        return None


def _label(request: Request, name: str, row: Row) -> Any:
    """What the request says; of a reference that it does not say, its parent's, if it has a parent."""
    said = getattr(request, name)
    return row["parent_reference"] if said is None and name == "reference" and request.parent_id is not None else said


def _seconds(start: object, end: object) -> float | None:
    """None if there is none, or if a time is none that Python knows, such as infinity."""
    return (end - start).total_seconds() if isinstance(start, datetime) and isinstance(end, datetime) else None


def scale(amount: Decimal) -> int:
    """How many decimals it has."""
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def metadata_of(row: Row) -> Any:
    """It comes as text, and is nearly always empty."""
    return {} if row["metadata"] == "{}" else msgspec.json.decode(row["metadata"])


def first(differing: Iterable[str]) -> str | None:
    """The first of the fields that differ."""
    return next(iter(differing), None)
