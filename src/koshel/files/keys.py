"""The idempotency keys of lines that have none of their own."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

from msgspec import Struct, json

from koshel.files.formats import NO_LIMIT
from koshel.files.spelling import SPELLINGS, plain_money, text, time_of

PREFIX = "import:"
DIGEST_BYTES = 16
LASTING = (  # and ctime
    *("id", "kind", "source_account_id", "source", "target_account_id", "target", "amount", "currency"),
)

_NOTHING: tuple[object, ...] = (None, "", {}, [])
_LIMIT = "max_balance"  # where null says something: that there is none
_encode = json.Encoder(order="deterministic").encode


class Known(Struct, frozen=True, gc=False):
    """By what a line is known again."""

    key: str
    by_content: bool  # nothing but what it says tells it from others: it has no id and time of its own


class Keys:
    """A key is made of what a line says, and of how many equal lines came before it in the file.

    So it is the same when the file is imported again, wherever the line stands by then, in whichever format, and
    however that spells what the line says. Of a line that was exported only that counts which never changes: its notes
    may be others in the next export. A digest is remembered for each line that has no key of its own.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def known(self, values: Mapping[str, Any]) -> Known:
        """By what the next line is known. Raises Invalid."""
        ctime = _time(values) if "id" in values else None
        said = _content(values) if ctime is None else _lasting(values, ctime)
        return Known(self._key(said), ctime is None)

    def key_of_texts(self, values: Mapping[str, str]) -> str:
        """The key of a line that has an amount, and beside it only texts that have one spelling; none is empty."""
        amount = values["amount"]
        plain = plain_money(amount)
        return self._key(values if plain is amount else {**values, "amount": plain})  # most are plain

    def _key(self, said: Mapping[str, Any]) -> str:
        digest = blake2b(_encode(said), digest_size=DIGEST_BYTES).digest()
        seen = self._seen.get(digest, 0) + 1
        self._seen[digest] = seen
        return f"{PREFIX}{digest.hex()}:{seen}"


def _time(values: Mapping[str, Any]) -> datetime | None:
    """The time of a line that was exported; None if it is no such line. Raises Invalid.

    A time that cannot be read is a fault: a spreadsheet may have spelled it so, and the line would be another one.
    """
    return time_of(ctime) if _says(values["id"]) and _says(ctime := values.get("ctime")) else None


def _content(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """All that a line says, so that it is the same of CSV and of JSON."""
    if _LIMIT in values and values[_LIMIT] is None:
        values = {**values, _LIMIT: NO_LIMIT}
    spelling = SPELLINGS.get
    return {
        name: spell(one) if (spell := spelling(name)) else one if type(one) is str else text(one)
        for name, one in values.items()
        if one or _says(one)
    }


def _lasting(values: Mapping[str, Any], ctime: datetime) -> Mapping[str, Any]:
    """What stays of a line that was exported."""
    spelling = SPELLINGS.get
    lasting = {
        name: spell(one) if (spell := spelling(name)) else one if type(one) is str else text(one)
        for name in LASTING
        if (one := values.get(name)) or _says(one)
    }
    lasting["ctime"] = ctime.isoformat()
    return lasting


def _says(one: object) -> bool:
    return bool(one) or one not in _NOTHING


class Once:
    """Tells what comes twice in a file: of each text it remembers a digest of 16 bytes."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def is_new(self, text: str) -> bool:
        """Whether the text comes for the first time."""
        digest = blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True
