"""Pages of lists: their query, their cursors, and the link to the next one.

    GET ?filters ──▶ a page, and `next`: a cursor, which has the list, the ledger, the filters and where the page ended
    GET ?after=cursor ──▶ the next page: filters may be left out, as the cursor has them

A cursor is no secret and gives no right: a request with one sees what it could ask for by itself, in its own ledger. So
there is a check sum against cursors that were cut or changed on their way, and no key that workers would have to share.
"""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType, json, structs

from koshel.db.reading.pages import Ask
from koshel.db.reading.wanted import Listed, NotIndexed, Order
from koshel.http.call import Call, Reply
from koshel.http.call import json as json_reply
from koshel.http.problems import Failure, parameter_invalid

LIMIT_MAX = 500
CURSOR_MAX = 6_500  # characters: a cursor has filters and positions, and a request's first line has room for no more
FILTERS_MAX = 4_000  # bytes, all together
_SUM_BYTES = 8
_PERSON = b"koshel cursor"
_NO_CURSOR = "must be the `next` of a page, as it was given"

StructT = TypeVar("StructT", bound=Struct)
FiltersT = TypeVar("FiltersT", bound=Struct)
ItemT = TypeVar("ItemT")

Limit = Annotated[int, Meta(ge=1, le=LIMIT_MAX, description="How many, at most.")]
After = Annotated[
    str,
    Meta(
        max_length=CURSOR_MAX,
        description="The `next` of the page before. It has the filters and the order, which may be left out beside it.",
    ),
]
Sorted = Annotated[Order, Meta(description="`desc`: the newest first; `asc`: the oldest first.")]
Next = Annotated[str | None, Meta(description="What `after` is for the next page; null: there is none.")]


class PageQuery(Struct, frozen=True, kw_only=True):
    """The query of a list, beside its filters."""

    limit: Limit = 50
    after: After | UnsetType = UNSET
    order: Sorted | UnsetType = UNSET


class NoFilters(Struct, frozen=True):
    """Those of a list that takes none."""


class Cursor(Struct, frozen=True, array_like=True, omit_defaults=False):
    """Where a page has ended, and of what."""

    path: str
    ledger_id: int
    order: Order
    filters: dict[str, Any]
    position: Any


class Lists(Generic[FiltersT]):
    """The cursors of a kind of list, which has these filters, and positions of this type.

    `several`: there may be more than one position in a cursor, where more than one index gives the keys.
    """

    def __init__(self, filters: type[FiltersT], position: type[Struct], *, several: bool = False) -> None:
        self._filters = json.Decoder(filters)
        self._position = json.Decoder(position)
        self._positions = json.Decoder(list[position]) if several else None  # type: ignore[valid-type]

    def asked(self, call: Call, path: str, filters: FiltersT) -> tuple[FiltersT, Ask]:
        """What the request asks for, and how much of it: its own filters, or its cursor's. Raises Failure."""
        query: PageQuery = call.query
        if len(json.encode(filters)) > FILTERS_MAX:
            name = "filter" if len(getattr(filters, "filter", None) or "") > FILTERS_MAX // 4 else "metadata"
            raise parameter_invalid(name, "must be shorter: a cursor has to hold it")
        if query.after is UNSET:
            return filters, Ask(query.limit, query.order or "desc")
        cursor = _read(query.after)
        if cursor.path != path or cursor.ledger_id != call.caller.ledger_id:
            raise parameter_invalid("after", "must be the `next` of a page of this list, and of this ledger")
        given = json.decode(json.encode(filters))
        for name, value in {**given, **({"order": query.order} if query.order else {})}.items():
            if value != (cursor.order if name == "order" else cursor.filters.get(name)):
                raise parameter_invalid(name, "must be as it was for the page before, or left out: `after` has it")
        try:
            kept = _in_utc(self._filters.decode(json.encode(cursor.filters)))
            position = self._read(cursor.position)
            position = [*map(_in_utc, position)] if isinstance(position, list) else _in_utc(position)
        except (DecodeError, RecursionError, OverflowError):
            raise parameter_invalid("after", _NO_CURSOR) from None
        return kept, Ask(query.limit, cursor.order, position)

    def _read(self, position: Any) -> Any:
        if self._positions is not None and isinstance(position, list) and position and isinstance(position[0], list):
            return self._positions.decode(json.encode(position))
        return self._position.decode(json.encode(position))

    def reply(
        self, call: Call, path: str, asked: tuple[FiltersT, Ask], page: Listed[Any, Any], items: Sequence[Struct]
    ) -> Reply:
        """The page, and the link to the next one."""
        if page.ends_at is None:
            return json_reply(200, {"items": items, "next": None})
        filters, ask = asked
        kept = json.decode(json.encode(filters))
        cursor = _written(Cursor(path, call.caller.ledger_id, ask.order, kept, page.ends_at))
        link = f'<{path}?limit={ask.limit}&after={cursor}>; rel="next"'
        return json_reply(200, {"items": items, "next": cursor}, {"Link": link})


def not_indexed(error: NotIndexed) -> Failure:
    """That no index finds what is asked for, and what would help."""
    fields = [f"{name}.*" if name == "metadata" else name for name in error.fields]
    detail = f"No index finds what has {' and '.join(fields)} alone; add one of {', '.join(error.instead)}."
    if error.is_filter:
        named, instead = " and ".join(fields), ", ".join(error.instead)
        detail = f"No index finds what has {named} alone; compare one of {instead} too, in each part of an OR."
    parameters = ["filter"] if error.is_filter else fields
    return Failure("filter-not-indexed", detail, parameters=parameters, add_one_of=list(error.instead))


def _written(cursor: Cursor) -> str:
    said = json.encode(cursor)
    return urlsafe_b64encode(_sum(said) + said).rstrip(b"=").decode()


def _read(text: str) -> Cursor:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        told, said = raw[:_SUM_BYTES], raw[_SUM_BYTES:]
        if told != _sum(said) or urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
            raise parameter_invalid("after", _NO_CURSOR)
        return json.decode(said, type=Cursor)
    except (binascii.Error, UnicodeEncodeError, DecodeError, RecursionError):
        raise parameter_invalid("after", _NO_CURSOR) from None


def _in_utc(given: StructT) -> StructT:
    """With its moments in UTC. Raises OverflowError for one that UTC has in no year from 1 to 9999."""
    each = structs.asdict(given).items()
    return structs.replace(given, **{name: one.astimezone(UTC) for name, one in each if isinstance(one, datetime)})


def _sum(said: bytes) -> bytes:
    return hashlib.blake2b(said, digest_size=_SUM_BYTES, person=_PERSON).digest()
