"""The idempotency keys of lines that have none of their own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from msgspec import json

PREFIX = "import:"
LASTING = ("id", "kind", "source_account_id", "source", "target_account_id", "target", "amount", "currency", "ctime")
_NOTHING: tuple[object, ...] = (None, "", {})


class Keys:
    """A key is made of what a line says, and of how many equal lines came before it in the file.

    So it is the same when the file is imported again, wherever the line stands by then, and in whichever format. Of a
    line that was exported only that counts which never changes: its notes may be others in the next export. A digest is
    remembered for each line that has no key of its own.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def key(self, values: Mapping[str, Any]) -> str:
        """The key of the next line."""
        digest = blake2b(json.encode(_lasting(values), order="deterministic"), digest_size=16).digest()
        seen = self._seen.get(digest, 0) + 1
        self._seen[digest] = seen
        return f"{PREFIX}{digest.hex()}:{seen}"


def _lasting(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a line says, as texts, so that it is the same of CSV and of JSON."""
    said = {
        name: one if type(one) is str or type(one) is dict else str(one)
        for name, one in values.items()
        if one not in _NOTHING
    }
    if "id" not in said or "ctime" not in said:
        return said
    lasting = {name: said[name] for name in LASTING if name in said}
    try:
        lasting["ctime"] = datetime.fromisoformat(str(said["ctime"])).astimezone(UTC).isoformat()
    except ValueError:  # it was exported by something else
        return said
    return lasting


class Once:
    """Tells what comes twice in a file: of each text it remembers a digest of 16 bytes."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def is_new(self, text: str) -> bool:
        """Whether the text comes for the first time."""
        digest = blake2b(text.encode(), digest_size=16).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True
