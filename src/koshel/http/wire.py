"""Bytes in, structs out, and back: the bodies of requests and of replies, with their limits.

An amount is decoded from the text that was sent, never through a binary float; it leaves as a string
with exactly the decimals of its currency.
"""

import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field, json

from koshel.core.book import available
from koshel.core.model import AccountDetails, Kind, Metadata, Posted
from koshel.core.money import DECIMALS_MAX, INTEGER_DIGITS_MAX, plain

ID_MAX = 2**63 - 1
KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"  # of an Idempotency-Key
METADATA_MAX = 50  # entries

_TEXT = r"^[^\x00]*$"  # PostgreSQL keeps every character but this one
_DIGITS = rf"[0-9]{{1,{INTEGER_DIGITS_MAX}}}(\.[0-9]{{1,{DECIMALS_MAX}}})?"
_PLAIN = re.compile(rf'"?(-?{_DIGITS})"?'.encode())  # nearly all there are; JSON has paired the quotes already
# JSON's own grammar for a number; the exponent is bounded, or building the Decimal would not be.
_NUMBER = re.compile(rb'"(-?[0-9]+(?:\.[0-9]+)?)"|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?)')
_TOO_MUCH = 10**INTEGER_DIGITS_MAX
_ROUNDED = "Rounded half-even to the currency's decimals."


def _money(description: str, *, sign: str = "", nullable: bool = False, **bounds: int) -> Meta:
    schema: list[dict[str, Any]] = [{"type": "string", "pattern": f"^{sign}{_DIGITS}$"}, {"type": "number", **bounds}]
    if nullable:
        schema.append({"type": "null"})
    return Meta(description=f"{description} {_ROUNDED}", extra_json_schema={"anyOf": schema})


Id = Annotated[int, Meta(ge=1, le=ID_MAX)]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z0-9_]{3,12}$", description="An ISO 4217 code, or a registered one.")]
MetadataIn = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=40, pattern=_TEXT)],
        Annotated[str, Meta(max_length=500, pattern=_TEXT)],
    ],
    Meta(max_length=METADATA_MAX, description=f"Your own notes: at most {METADATA_MAX} strings by name."),
]
Amount = Annotated[Raw, _money("More than zero.", exclusiveMinimum=0, exclusiveMaximum=_TOO_MUCH)]


class Invalid(Exception):
    """A field that cannot be used: its JSON pointer, and why."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail


class AccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What an account is opened with."""

    email: Annotated[str, Meta(max_length=254, description="Stands for the client; need not be unique.")]
    currency: CurrencyCode | UnsetType = UNSET
    min_balance: Annotated[Raw, _money("Zero or less: an overdraft line.", sign="-?", maximum=0)] | UnsetType = UNSET
    max_balance: Annotated[Raw, _money("Zero or more; null: no limit.", nullable=True, minimum=0)] | UnsetType = UNSET
    metadata: MetadataIn = field(default_factory=dict)


class PaymentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money in."""

    amount: Amount
    metadata: MetadataIn = field(default_factory=dict)


class WithdrawalRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money out."""

    amount: Amount
    metadata: MetadataIn = field(default_factory=dict)


class TransactionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money across."""

    source_account_id: Id
    target_account_id: Id
    amount: Amount
    metadata: MetadataIn = field(default_factory=dict)


class Account(Struct, frozen=True, gc=False):
    """An account. `available` is what can be spent now: balance - held - min_balance."""

    id: int
    email: str
    currency: str
    balance: str
    held: str
    available: str
    min_balance: str
    max_balance: str | None
    status: str
    metadata: Metadata
    version: Annotated[int, Meta(description="How many transactions have touched the account.")]
    ctime: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Transaction(Struct, frozen=True, gc=False):
    """A transaction. No source: money came in from outside; no target: it left."""

    id: int
    kind: Kind
    status: str
    source_account_id: int | None
    target_account_id: int | None
    amount: str
    currency: str
    parent_id: int | None
    group_id: int | None
    idempotency_key: str | None
    metadata: Metadata
    ctime: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


def amount(raw: Raw) -> Decimal:
    """The amount of a body. Raises Invalid."""
    value = decimal(raw, "/amount")
    if value <= 0:
        raise Invalid("/amount", "must be more than zero")
    return value


def decimal(raw: Raw, pointer: str) -> Decimal:
    """The number or the string, exactly as it was written. Raises Invalid."""
    plain_match = _PLAIN.fullmatch(raw)
    if plain_match is not None:
        return Decimal(plain_match[1].decode())
    if b"\\" in bytes(raw):  # "\\u0031" is a 1, as JSON has it
        return decimal(Raw(json.encode(json.decode(raw))), pointer)
    match = _NUMBER.fullmatch(raw)
    if match is None:
        raise Invalid(pointer, "must be a decimal number, or one in a string")
    value = Decimal((match[1] or match[2]).decode())
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if value and (value.adjusted() >= INTEGER_DIGITS_MAX or exponent < -DECIMALS_MAX):
        digits = f"at most {INTEGER_DIGITS_MAX} digits before the point and {DECIMALS_MAX} after it"
        raise Invalid(pointer, f"must have {digits}")
    return value


def account(details: AccountDetails) -> Account:
    """The reply's form of an account."""
    return Account(
        details.id,
        details.email,
        details.currency,
        plain(details.balance),
        plain(details.held),
        plain(available(details)),
        plain(details.min_balance),
        None if details.max_balance is None else plain(details.max_balance),
        details.status,
        details.metadata,
        details.version,
        time(details.ctime),
    )


def transaction(posted: Posted) -> Transaction:
    """The reply's form of a transaction."""
    return Transaction(
        posted.id,
        posted.kind,
        "posted",
        posted.source_account_id,
        posted.target_account_id,
        plain(posted.amount),
        posted.currency,
        None,
        None,
        posted.key,
        posted.metadata,
        time(posted.ctime),
    )


@lru_cache(maxsize=64)  # a batch has one time
def time(moment: datetime) -> str:
    """RFC 3339 in UTC, with microseconds and Z; the moment is in UTC already."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
