"""The one front door for values: what an amount, a key, an email, a lifetime may be, over HTTP and in a program.

A value that can never be right is Invalid, which names the field and the reason. HTTP and the library add where the
field stood.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, ValidationError, convert, inspect, json

from koshel.core.commands import Status
from koshel.core.labelled import METADATA_MAX
from koshel.core.money import DECIMALS_MAX, INTEGER_DIGITS_MAX
from koshel.errors import Misuse
from koshel.inputs.faults import faults

Money: TypeAlias = Decimal | str | int  # as a program gives it
Given: TypeAlias = Money | Raw  # Raw: as HTTP gives it, the JSON text of a number or a string
Versions: TypeAlias = tuple[tuple[int, int], ...]  # (version, revision)s of an account

ID_MAX = 2**63 - 1
MEMBERS_MAX = 1_000  # of a batch
END = r"(?!\n)$"  # of a text: Python's `$` alone would let a newline follow; RE2's and ECMAScript's do not
KEY_PATTERN = rf"^[\x21-\x7e]{{1,255}}{END}"  # of an idempotency key
TEXT_PATTERN = r"^[^\x00]*$"  # PostgreSQL keeps every character but this one
LEDGER_PATTERN = rf"^[a-z0-9_-]{{1,64}}{END}"
PRINTED_PATTERN = rf"^[^\x00-\x1f\x7f-\x9f]*{END}"
CURRENCY_PATTERN = rf"^[A-Z0-9_]{{3,12}}{END}"
AMOUNT_PATTERN = rf"[0-9]{{1,{INTEGER_DIGITS_MAX}}}(\.[0-9]{{1,{DECIMALS_MAX}}})?"  # without its sign
ACCOUNT_NAME_MAX = 100  # characters
ACCOUNT_NAME_PATTERN = rf"^[A-Za-z0-9_.:-]{{1,{ACCOUNT_NAME_MAX}}}{END}"
ACCOUNT_NAME_REASON = f"must be 1 to {ACCOUNT_NAME_MAX} characters A-Z, a-z, 0-9, _, ., : and -"
LEDGER_REASON = "must be 1 to 64 characters a-z, 0-9, _ and -"
KEY_REASON = "must be 1 to 255 visible ASCII characters"

# `reason` is what a text is told that does not match the pattern.
_TEXT = {"reason": "must not hold the character U+0000"}
PRINTED = {"reason": "must hold no control characters"}
_LEDGER = {"reason": LEDGER_REASON}
_CURRENCY = {"reason": "must be a currency's code: 3 to 12 characters A-Z, 0-9 and _"}

Id = Annotated[int, Meta(ge=1, le=ID_MAX)]
Key = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"reason": KEY_REASON})]
AccountName = Annotated[str, Meta(pattern=ACCOUNT_NAME_PATTERN, extra={"reason": ACCOUNT_NAME_REASON})]
Email = Annotated[str, Meta(max_length=254, description="The email of the account's holder; need not be unique.")]
CurrencyCode = Annotated[
    str, Meta(pattern=CURRENCY_PATTERN, description="An ISO 4217 code, or a registered one.", extra=_CURRENCY)
]
KeyName = Annotated[str, Meta(max_length=100, pattern=PRINTED_PATTERN, description="What it is for.", extra=PRINTED)]
LedgerName = Annotated[str, Meta(pattern=LEDGER_PATTERN, extra=_LEDGER)]
Lifetime = Annotated[int, Meta(ge=1, description="Seconds.")]
Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=TEXT_PATTERN, extra=_TEXT)]
Note = Annotated[str, Meta(max_length=500, pattern=TEXT_PATTERN, extra=_TEXT)]
Notes = Annotated[
    dict[Name, Note],
    Meta(max_length=METADATA_MAX, description=f"Your own notes: at most {METADATA_MAX} strings by name."),
]
NotesPatch = Annotated[
    dict[Name, Note | None],
    Meta(max_length=2 * METADATA_MAX, description="Merged into what is there; null removes an entry."),
]

_PLAIN = re.compile(rf'"?(-?{AMOUNT_PATTERN})"?'.encode())  # nearly all there are; JSON has paired the quotes already
# JSON's own grammar for a number; the exponent is bounded, or building the Decimal would not be.
_NUMBER = re.compile(rb'"(-?[0-9]+(?:\.[0-9]+)?)"|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?)')
_PLAIN_TEXT = re.compile(f"-?{AMOUNT_PATTERN}")  # nearly all there are, of a program or of a file
_TEXT_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")  # as `str` writes a Decimal


class Invalid(Misuse):
    """A value that can never be right: the field that it was meant for, and the reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field} {self.reason}"


class Fields(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of commands whose type says all that can be said of their values."""

    account_id: Id | UnsetType = UNSET
    source_account_id: Id | UnsetType | None = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    account: AccountName | UnsetType | None = UNSET
    source: AccountName | UnsetType | None = UNSET
    target: AccountName | UnsetType | None = UNSET
    name: AccountName | UnsetType | None = UNSET
    parent_id: Id | UnsetType = UNSET
    transaction_id: Id | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    currency: CurrencyCode | UnsetType = UNSET
    expires_in: Lifetime | UnsetType = UNSET
    final: bool | UnsetType = UNSET
    atomic: bool | UnsetType = UNSET
    metadata: Notes | UnsetType = UNSET
    metadata_patch: NotesPatch | UnsetType = UNSET
    key: Key | UnsetType | None = UNSET


def fields(given: dict[str, Any], kind: type[Struct] = Fields) -> Any:
    """The fields, as a `kind`, each of its type. Raises Invalid for the first that is not."""
    try:
        taken = convert(given, kind)
        json.encode(taken)
    except ValidationError:
        path, reason = next(faults(given, inspect.type_info(kind)))
        raise Invalid("/".join(map(str, path)), reason) from None
    except UnicodeEncodeError:
        name = next(name for name, value in given.items() if not is_unicode(value))
        raise Invalid(name, "must be Unicode: it has half of a surrogate pair") from None
    return taken


def is_unicode(value: object) -> bool:
    """Whether no text in it has half of a surrogate pair."""
    match value:
        case str():
            return value.isascii() or value.encode(errors="replace").decode() == value
        case Mapping():
            return all(is_unicode(part) for pair in value.items() for part in pair)
        case list():
            return all(map(is_unicode, value))
        case _:
            return True


def amount(value: Given, field: str = "amount") -> Decimal:
    """An amount to move: more than zero, not rounded yet. Raises Invalid."""
    taken = decimal(value, field)
    if taken <= 0:
        raise Invalid(field, "must be more than zero")
    return taken


def floor(value: Given, field: str = "min_balance") -> Decimal:
    """A min_balance: zero or less. Raises Invalid."""
    taken = decimal(value, field)
    if taken > 0:
        raise Invalid(field, "must not be more than zero")
    return taken


def ceiling(value: Given | None, field: str = "max_balance") -> Decimal | None:
    """A max_balance: zero or more, or None for no limit. Raises Invalid."""
    if value is None or (type(value) is Raw and bytes(value) == b"null"):
        return None
    taken = decimal(value, field)
    if taken < 0:
        raise Invalid(field, "must not be less than zero")
    return taken


def decimal(value: Given, field: str) -> Decimal:
    """The value exactly as it was given, with no more digits than Koshel keeps. Raises Invalid."""
    if type(value) is Raw:
        match = _PLAIN.fullmatch(value)
        if match is not None:
            return Decimal(match[1].decode())
        return _bounded(_of_json(bytes(value), field), field)
    if type(value) is str and _PLAIN_TEXT.fullmatch(value):
        return Decimal(value) or Decimal(0)  # whatever a zero's exponent is
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int):
        raise Invalid(field, "must be exact: a Decimal, a str or an int")
    if isinstance(value, str) and not _TEXT_NUMBER.fullmatch(value):
        raise Invalid(field, "must be a number such as 12.50")
    return _bounded(Decimal(value), field)


def _of_json(text: bytes, field: str) -> Decimal:
    if text[:1] == b'"' and b"\\" in text:  # "\\u0031" is a 1, as JSON has it; an array may be too deep to read again
        text = json.encode(json.decode(text))
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Invalid(field, "must be a number such as 12.50, or the same as a string")
    return Decimal((match[1] or match[2]).decode())


def _bounded(value: Decimal, field: str) -> Decimal:
    if not value:
        return Decimal(0)  # whatever a zero's exponent is
    if value.is_finite() and value.adjusted() < INTEGER_DIGITS_MAX:
        exponent = value.as_tuple().exponent
        assert isinstance(exponent, int)
        if exponent >= -DECIMALS_MAX:
            return value
    digits = f"at most {INTEGER_DIGITS_MAX} digits before the point and {DECIMALS_MAX} after it"
    raise Invalid(field, f"must have {digits}")


def email(value: str, field: str = "email") -> str:
    """The address as it is kept. Raises Invalid for what is none.

    The form only: a look-up of the domain would make opening an account wait for somebody's DNS.
    """
    fields({field: value})  # its patterns see a text of a bounded length only
    # Here, since the package compiles long patterns when it is imported: a start need not wait for them.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise Invalid(field, "must be an email address such as ann@example.com") from None


def kept_email(text: str, field: str = "email") -> str:
    """The address as it is kept, if it is one; what is none may still be that of an erased account. Raises Invalid."""
    fields({field: text})
    try:
        return email(text, field)
    except Invalid:
        if not text or "\0" in text:
            raise
        return text


def status(value: Status | str, field: str = "status") -> Status:
    """An account's status. Raises Invalid."""
    try:
        return Status(value)
    except ValueError:
        raise Invalid(field, "must be one of " + ", ".join(f'"{one}"' for one in sorted(Status))) from None


def lifetime(seconds: int, most: int, field: str = "expires_in") -> int:
    """For how many seconds a hold is open: from 1 to `most`. Raises Invalid."""
    if type(seconds) is not int or seconds < 1:
        fields({field: seconds})
    if seconds > most:
        raise Invalid(field, f"must not be more than {most} seconds")
    return seconds


def versions(value: Sequence[tuple[int, int]], field: str) -> Versions:
    """Where an account may be, or may not be. Raises Invalid."""
    try:
        return convert(value, Versions)
    except (ValidationError, UnicodeEncodeError):
        raise Invalid(field, "must be pairs of a version and a revision") from None
