"""The fields that filters may name: of each what its values are, where a row has it, and which index finds it.

A row has them as an answer shows them. Indexes are taken by rank: first the one that finds the fewest rows.
"""

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeAlias

from msgspec import UNSET, Struct
from msgspec.structs import replace

from koshel.core.book import available, effective_on
from koshel.core.commands import Kind, Status
from koshel.core.enqueue import capture_at
from koshel.core.model import AccountDetails, Posted, Queued
from koshel.core.sides import Side
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.reading.filters import Access, Field, Fields, Type
from koshel.db.reading.lines import Line
from koshel.db.reading.wanted import STATUSES

Read: TypeAlias = Callable[[Any], Any]


class Listing(Struct, frozen=True):
    """A transaction in a list, and its place there: the time at which it was posted, queued, declined or cancelled."""

    found: FoundTransaction
    moment: datetime


def touched(found: FoundTransaction) -> tuple[int, ...]:
    """The ids of the accounts that a transaction has touched, or is to touch."""
    return tuple(id_ for id_, _ in _accounts(found))


def _accounts(found: FoundTransaction) -> list[tuple[int, str | None]]:
    one = found.transaction
    if isinstance(one, Posted):
        return [(side.account_id, side.name) for side in (one.source, one.target) if isinstance(side, Side)]
    both = ((one.source_account_id, one.source), (one.target_account_id, one.target))
    return [(id_, name) for id_, name in both if id_ is not None]


def _either(posted: Read, queued: Read) -> Callable[[Listing], Any]:
    """What is read of a transaction that is posted, or that is not."""

    def read(listing: Listing) -> Any:
        one = listing.found.transaction
        return posted(one) if isinstance(one, Posted) else queued(one)

    return read


def _same(path: str) -> Callable[[Listing], Any]:
    """What both have by the same name."""
    return attrgetter(f"found.transaction.{path}")


def _side(name: str, attribute: str) -> Read:
    def read(posted: Posted) -> Any:
        side = getattr(posted, name)
        return None if side is None else getattr(side, attribute)

    return read


def _label(name: str) -> Callable[[Listing], Any]:
    return _either(attrgetter(name), attrgetter(f"command.command.{name}"))


def _nothing(_: Any) -> None:
    """What is not posted has none."""


def _execute_at(queued: Queued) -> datetime | None:
    return None if queued.command.execute_at is UNSET else queued.command.execute_at


def _queued_source(queued: Queued) -> str | None:
    """Its name, if it is that of an account: by the account's id it is found."""
    return None if queued.source_account_id is None else queued.source


def _expires_at(posted: Posted) -> datetime | None:
    return posted.expires_at if posted.kind is Kind.HOLD else None


_KINDS = tuple(kind.value for kind in Kind)

TRANSACTION_FIELDS: Fields[Listing] = {
    "id": Field(Type.NUMBER, _same("id"), Access.PROBE, 8, "transaction_pkey"),
    "idempotency_key": Field(
        Type.TEXT, _either(attrgetter("key"), attrgetter("command.key")), Access.PROBE, 7, "receipt_pkey"
    ),
    "group_id": Field(Type.NUMBER, _either(attrgetter("group_id"), _nothing), Access.PROBE, 6, "transaction_group"),
    "parent_id": Field(Type.NUMBER, _same("parent_id"), Access.PROBE, 5, "transaction_parent"),
    "reference": Field(Type.TEXT, _label("reference"), Access.PROBE, 4, "transaction_reference"),
    "account_id": Field(
        Type.NUMBER, lambda listing: touched(listing.found), Access.PROBE, 3, "transaction_source_version"
    ),
    "account": Field(
        Type.NAME,
        lambda listing: tuple(name for _, name in _accounts(listing.found)),
        Access.PROBE,
        3,
        "transaction_source_version",
    ),
    "source_account_id": Field(
        Type.NUMBER,
        _either(_side("source", "account_id"), attrgetter("source_account_id")),
        Access.PROBE,
        3,
        "transaction_source_version",
    ),
    "source": Field(
        Type.NAME,
        _either(_side("source", "name"), _queued_source),
        Access.PROBE,
        3,
        "transaction_source_version",
    ),
    "target_account_id": Field(Type.NUMBER, _either(_side("target", "account_id"), attrgetter("target_account_id"))),
    "target": Field(Type.NAME, _either(_side("target", "name"), attrgetter("target"))),
    "kind": Field(Type.CHOICE, _same("kind.value"), Access.CHOICES, 1, "transaction_kind", choices=_KINDS),
    "status": Field(
        Type.CHOICE,
        attrgetter("found.status"),
        Access.CHOICES,
        1,
        "transaction_kind",
        choices=STATUSES,
        usual=frozenset({"posted"}),
    ),
    "ctime": Field(Type.TIME, attrgetter("moment"), Access.RANGE, 1, "transaction_kind"),
    "amount": Field(Type.AMOUNT, _same("amount")),
    "currency": Field(Type.TEXT, _same("currency")),
    "description": Field(Type.TEXT, _label("description")),
    "effective_on": Field(Type.DATE, _either(effective_on, attrgetter("command.command.effective_on"))),
    "expires_at": Field(Type.TIME, _either(_expires_at, _nothing)),
    "capture_at": Field(Type.TIME, _either(attrgetter("capture_at"), capture_at)),
    "execute_at": Field(Type.TIME, _either(_nothing, _execute_at)),
    "cancelled_at": Field(Type.TIME, attrgetter("found.cancelled_at")),
    "remaining": Field(Type.AMOUNT, attrgetter("found.remaining")),
    "refunded": Field(Type.AMOUNT, attrgetter("found.refunded")),
    "metadata": Field(Type.TEXT, _label("metadata")),
}


def _of_transaction(field: Field[Listing]) -> Field[Line]:
    """Of the transaction of a line; a line's transaction is posted, at its ctime."""

    def read(line: Line) -> Any:
        return field.of(Listing(line.found, line.found.transaction.ctime))

    return Field(field.type, read, choices=field.choices)


LINE_FIELDS: Fields[Line] = {
    **{name: _of_transaction(field) for name, field in TRANSACTION_FIELDS.items()},
    **{
        name: replace(_of_transaction(TRANSACTION_FIELDS[name]), access=Access.CHOICES) for name in ("kind", "status")
    },  # of these it looks at fewer rows
    "ctime": Field(Type.TIME, attrgetter("found.transaction.ctime"), Access.RANGE, 1, "transaction_source_version"),
    "version": Field(Type.NUMBER, attrgetter("version"), Access.RANGE, 1, "transaction_source_version"),
    "change": Field(Type.AMOUNT, attrgetter("change")),
    "balance": Field(Type.AMOUNT, attrgetter("side.balance")),
    "held": Field(Type.AMOUNT, attrgetter("side.held")),
}

ACCOUNT_FIELDS: Fields[AccountDetails] = {
    "id": Field(Type.NUMBER, attrgetter("id"), Access.PROBE, 4, "account_pkey"),
    "name": Field(Type.NAME, attrgetter("name"), Access.PROBE, 3, "account_by_name", has_prefixes=True),
    "email": Field(Type.EMAIL, attrgetter("email"), Access.PROBE, 2, "account_by_email"),
    "currency": Field(Type.TEXT, attrgetter("currency"), Access.PROBE, 1, "account_by_currency"),
    "status": Field(
        Type.CHOICE,
        attrgetter("status"),
        Access.PROBE,
        1,
        "account_by_status",
        choices=tuple(one.value for one in Status),
    ),
    "balance": Field(Type.AMOUNT, attrgetter("balance")),
    "held": Field(Type.AMOUNT, attrgetter("held")),
    "available": Field(Type.AMOUNT, available),
    "min_balance": Field(Type.AMOUNT, attrgetter("min_balance")),
    "max_balance": Field(Type.AMOUNT, attrgetter("max_balance")),
    "version": Field(Type.NUMBER, attrgetter("version")),
    "ctime": Field(Type.TIME, attrgetter("ctime")),
    "metadata": Field(Type.TEXT, attrgetter("metadata")),
}
