"""The idempotency keys of lines that have none of their own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from msgspec import json

from koshel.inputs.moments import OUT_OF_RANGE
from koshel.inputs.values import Invalid

PREFIX = "import:"
DIGEST_BYTES = 16
LASTING = ("id", "kind", "source_account_id", "source", "target_account_id", "target", "amount", "currency", "ctime")

_NOTHING: tuple[object, ...] = (None, "", {})
_encode = json.Encoder(order="deterministic").encode


class Keys:
    """A key is made of what a line says, and of how many equal lines came before it in the file.

    So it is the same when the file is imported again, wherever the line stands by then, and in whichever format. Of a
    line that was exported only that counts which never changes: its notes may be others in the next export. A digest is
    remembered for each line that has no key of its own.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def key(self, values: Mapping[str, Any]) -> str:
        """The key of the next line. Raises Invalid."""
        return self.key_of_texts(_lasting(values))

    def key_of_texts(self, values: Mapping[str, Any]) -> str:
        """The same of a line that was not exported and says nothing but texts, none of them empty."""
        digest = blake2b(_encode(values), digest_size=DIGEST_BYTES).digest()
        seen = self._seen.get(digest, 0) + 1
        self._seen[digest] = seen
        return f"{PREFIX}{digest.hex()}:{seen}"


def _lasting(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a line says, as texts, so that it is the same of CSV and of JSON; of one that was exported, what stays."""
    time = _time(values) if "id" in values else None
    if time is None:
        return {name: one if type(one) is str else _text(one) for name, one in values.items() if one or _says(one)}
    lasting = {name: _text(one) for name in LASTING if _says(one := values.get(name))}
    lasting["ctime"] = time
    return lasting


def _time(values: Mapping[str, Any]) -> str | None:
    """The time of a line that was exported, in UTC; None if it is no such line. Raises Invalid."""
    if not _says(values["id"]):
        return None
    try:
        time = datetime.fromisoformat(str(values.get("ctime")))
    except ValueError:  # it was exported by something else
        return None
    if time.tzinfo is None:  # by a guess the same transaction might be imported twice
        raise Invalid("ctime", "must have an offset from UTC, such as Z")
    if time.tzinfo is UTC:
        return time.isoformat()
    try:
        return time.astimezone(UTC).isoformat()
    except (OverflowError, ValueError):  # in UTC it is in the year 0 or 10000
        raise Invalid("ctime", OUT_OF_RANGE) from None


def _says(one: object) -> bool:
    return bool(one) or one not in _NOTHING


def _text(one: object) -> object:
    return one if type(one) is str or type(one) is dict else str(one)


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
