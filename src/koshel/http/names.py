"""A name that comes twice in one JSON object: which of the two counts would depend on who reads it.

Two counts of the body are compared, and only if they differ is it read token by token:

    colons in the bytes = names in the objects + colons in their texts    as long as no name comes twice

A decoded object has each name once, so a name that came twice leaves a colon over. Nor does a name come twice if the
bytes have no more colons behind a quote than the objects have names.
"""

import json
import re
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

DEPTH_MAX = 100  # nothing that is asked for has a tenth of it
_SPACE = b" \t\r\n"  # that JSON may have between two tokens
_FEW = 12  # colons of a body that is most likely one flat object


class _Batch(Struct, forbid_unknown_fields=True):
    """A batch, as far as its names are concerned."""

    transactions: list[dict[str, Raw]]
    atomic: Raw | UnsetType = UNSET


_flat = msgspec.json.Decoder(dict[str, Raw])
_batch = msgspec.json.Decoder(_Batch)
_whole = msgspec.json.Decoder()
# Possessive, so that nothing is tried twice. A string without an end takes the rest.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\]:,]', re.DOTALL)


def twice(received: bytes) -> str | None:
    """The JSON pointer of the first name that its object has already; None if there is none. The body is JSON."""
    colons = received.count(b":")
    try:
        if colons <= _FEW and _is_flat_and_once(received, colons):
            return None  # one flat object, as nearly all are
        if colons > _FEW and received.startswith(b'{"transactions"') and _is_batch_and_once(received, colons):
            return None  # a batch of flat objects
        whole = _whole.decode(received)
        names = _names(whole)
        over = colons - names
        if over == 0 or names == _names_at_most(received):
            return None
        # An escape may stand for a colon, and then the bytes have one less.
        if b"u003a" not in received.lower() and over == _colons(whole):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # a number too large, a text that is not Unicode, a body too deep: `decode` refuses them
    return _scan(received)


def _is_flat_and_once(received: bytes, colons: int) -> bool:
    """Whether it is one object without another in it, and each of its colons is a name's, or in a text."""
    names = len(_flat.decode(received))
    return names == colons or names == _names_at_most(received)


def _is_batch_and_once(received: bytes, colons: int) -> bool:
    """The same of a batch whose members have no object in them."""
    batch = _batch.decode(received)
    names = sum(map(len, batch.transactions)) + (1 if batch.atomic is UNSET else 2)
    return names == colons or names == _names_at_most(received)


def _names_at_most(received: bytes) -> int:
    """How many names there can be, at any depth: before the colon of each is a quote. A text may have these two too."""
    return received.translate(None, _SPACE).count(b'":')


def _names(value: dict[str, Any] | list[Any]) -> int:
    """How many names there are, at any depth."""
    inner, count = (value.values(), len(value)) if type(value) is dict else (value, 0)
    for one in inner:
        if type(one) is dict or type(one) is list:
            count += _names(one)
    return count


def _colons(value: dict[str, Any] | list[Any]) -> int:
    """How many colons there are in names and texts."""
    inner, count = (value.values(), "".join(value).count(":")) if type(value) is dict else (value, 0)
    for one in inner:
        if type(one) is dict or type(one) is list:
            count += _colons(one)
        elif type(one) is str:
            count += one.count(":")
    return count


def _scan(received: bytes) -> str | None:
    """Token by token, without recursion: a body may be nested as deep as it is long."""
    at: list[str | int] = []  # the name or the index, of each object or array that is open
    seen: list[set[str]] = []  # the names so far; of an array none
    last = b""
    for match in _TOKEN.finditer(received):
        token = match[0]
        if token in {b"{", b"["}:
            at.append("" if token == b"{" else 0)
            seen.append(set())
        elif token in {b"}", b"]"}:
            at.pop()
            seen.pop()
        elif token == b":":
            at[-1] = name = _text(last)
            if name in seen[-1]:
                return "".join(f"/{step(one)}" for one in at)
            seen[-1].add(name)
        elif token != b",":
            last = token
        elif isinstance(index := at[-1], int):
            at[-1] = index + 1
    return None


def deepest(received: bytes) -> str:
    """The JSON pointer of the body's first field that is nested deeper than anything that is asked for."""
    depth, pointer, last = 0, "", b""
    for match in _TOKEN.finditer(received):
        token = match[0]
        if token in {b"{", b"["}:
            depth += 1
            if depth > DEPTH_MAX:
                break
        elif token in {b"}", b"]"}:
            depth -= 1
        elif token == b":" and depth == 1:
            pointer = f"/{step(_text(last))}"
        last = token
    return pointer


def _text(token: bytes) -> str:
    """The text of a string token, escapes read. Half of a surrogate pair is kept, so that it differs from another."""
    if b"\\" in token:
        return str(json.loads(token))
    return token[1:-1].decode(errors="surrogateescape")


def step(name: str | int) -> str:
    """One step of a JSON pointer (RFC 6901); half of a surrogate pair cannot be sent, and becomes `?`."""
    return str(name).replace("~", "~0").replace("/", "~1").encode(errors="replace").decode()
