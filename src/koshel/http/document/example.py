"""An example of the OpenAPI document, and a transaction as it is shown in one."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields as struct_fields

from koshel.http.bodies.wire import Transaction

JsonObject = dict[str, Any]
CTIME = "2026-11-22T10:35:00.123456Z"
TOMORROW = "2026-11-23T10:35:00.123456Z"


class Example(Struct, frozen=True):
    """One request of the story, to the route of this name, and its reply."""

    route: str
    title: str
    reply: JsonObject | None  # None: it has no body
    status: int = 200
    body: JsonObject | None = None
    path: Mapping[str, int | str] = {}
    query: Mapping[str, str] = {}
    key: str | None = None


def transaction(id_: int, kind: str, source: int | None, target: int | None, amount: str, **fields: Any) -> JsonObject:
    """A transaction, as a reply has it."""
    always = {one.name: None for one in struct_fields(Transaction) if one.required}
    shown = {
        "id": id_,
        "kind": kind,
        "status": "posted",
        "source_account_id": source,
        "target_account_id": target,
        "amount": amount,
        "currency": "USD",
        "metadata": {},
        "ctime": CTIME,
    }
    return always | shown | fields
