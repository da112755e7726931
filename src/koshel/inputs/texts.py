"""What a text of a caller's can be: an id, a key, the name of something; and which account it asks for."""

import re
from functools import lru_cache
from sys import intern
from typing import TypeAlias

from koshel.core.commands import UNRESOLVED
from koshel.core.money import has_no_unit
from koshel.inputs.values import (
    ACCOUNT_NAME_PATTERN,
    ACCOUNT_NAME_REASON,
    CURRENCY_PATTERN,
    ID_MAX,
    KEY_PATTERN,
    LEDGER_PATTERN,
    PRINTED_PATTERN,
    Invalid,
)

AT = "@"  # before the name of an account, where an id may stand as well

AccountRef: TypeAlias = int | str  # an id, or "@" and a name
Asked: TypeAlias = tuple[int, str | None]  # the same taken apart: an id; or UNRESOLVED and a name
GivenAccount: TypeAlias = AccountRef | Asked  # Asked: as HTTP gives it

OUTSIDE = (None, None)  # in the place of an account: the world outside

_KEY = re.compile(KEY_PATTERN)
_CODE = re.compile(CURRENCY_PATTERN)
_ACCOUNT_NAME = re.compile(ACCOUNT_NAME_PATTERN)
_ID_DIGITS_MAX = len(str(ID_MAX))  # of an id: more than some thousand, and Python would not make an int of them


def asked(account: GivenAccount, field: str) -> Asked:
    """The account that a program asks for: its id, which is not looked at here, or "@" and its name. Raises Invalid."""
    if not isinstance(account, str):
        return account if isinstance(account, tuple) else (account, None)
    if account[:1] == AT and is_account_name(account[1:]):
        return UNRESOLVED, account[1:]
    raise Invalid(field, "must be an id, or @ and the name of an account")


def asked_in_path(text: str) -> Asked:
    """The account that a path asks for: its id in digits, or "@" and its name. Raises Invalid."""
    return asked(text, "id") if text[:1] == AT else (identifier(text), None)


def identifier(text: str, field: str = "id") -> int:
    """The id that a text is. Raises Invalid for what cannot be one."""
    if not (text.isascii() and text.isdigit()) or text[0] == "0" or len(text) > _ID_DIGITS_MAX or int(text) > ID_MAX:
        raise Invalid(field, f"must be a whole number from 1 to {ID_MAX}")
    return int(text)


def is_account_name(text: str) -> bool:
    """Whether the text can be the name of an account."""
    return _ACCOUNT_NAME.fullmatch(text) is not None


@lru_cache(maxsize=10_000)  # to look it up takes half of the time, and most names come again; what is none is not kept
def asked_by_name(name: str) -> Asked:
    """The account of this name, as it is asked for. Raises ValueError for what cannot be a name."""
    if not is_account_name(name):
        raise ValueError(ACCOUNT_NAME_REASON)
    return UNRESOLVED, intern(name)  # as the memory of names has it: what is the same object is not compared as a text


def is_key(text: str) -> bool:
    """Whether the text can be an idempotency key."""
    return _KEY.fullmatch(text) is not None


def is_currency_code(text: str) -> bool:
    """Whether the text can be the code of a currency."""
    return _CODE.fullmatch(text) is not None


def unknown_currency(code: str) -> str:
    """Why the decimals of a currency are not known, and what to do if they should be."""
    if has_no_unit(code):
        return f"ISO 4217 has no decimals for {code}; register it with them, as `koshel currency add {code} --scale 4`"
    return f"{code} is neither in ISO 4217 nor registered with `koshel currency add`"


def is_ledger_name(text: object) -> bool:
    """Whether the text can be the name of a ledger."""
    return isinstance(text, str) and re.fullmatch(LEDGER_PATTERN, text) is not None


def is_key_name(text: str) -> bool:
    """Whether the text can be what an API key is called."""
    return len(text) <= 100 and re.fullmatch(PRINTED_PATTERN, text) is not None
