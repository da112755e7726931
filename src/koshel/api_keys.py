"""API keys: how one is made, what it looks like, and by which digest it is known.

    koshel_live_ + 43 characters of base62 (256 random bits) + 6 characters of base62 (CRC-32 of all before)

The prefix is for scanners that look for secrets in what is published. The check sum tells a misspelt or invented key
without asking the database. Of a key only the SHA-256 is kept: with 256 random bits, more than that makes it no safer.
"""

import re
import secrets
from hashlib import sha256
from zlib import crc32

PREFIX = "koshel_live_"
JWT_BEGINS = "eyJ"  # the Base64 of `{"`: by this, what is no key of ours may be one of others
SECRET_LENGTH = 43  # 62 ** 43 is just more than 2 ** 256
CHECK_LENGTH = 6  # 62 ** 6 is more than 2 ** 32
LENGTH = len(PREFIX) + SECRET_LENGTH + CHECK_LENGTH

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH + CHECK_LENGTH}}}")


def make() -> str:
    """A new key."""
    body = PREFIX + _base62(secrets.randbits(256), SECRET_LENGTH)
    return body + _check(body)


def digest_of(text: str) -> bytes | None:
    """The digest by which a key is known; None for a text that is no key."""
    if len(text) != LENGTH or _KEY.fullmatch(text) is None:
        return None
    body = text[:-CHECK_LENGTH]
    return sha256(text.encode()).digest() if text[-CHECK_LENGTH:] == _check(body) else None


def looks_secret(text: str) -> bool:
    """Whether a key or a JWT may be in the text, or most of one: it is for no log."""
    return PREFIX in text or (JWT_BEGINS in text and "." in text)


def _check(body: str) -> str:
    return _base62(crc32(body.encode()), CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
