"""A call and its reply, as the handlers see them: no sockets, no server."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from multidict import MultiMapping

from koshel.app import Service
from koshel.asking.requests import Requests
from koshel.callers import Caller
from koshel.db.shared_reads import SharedReads
from koshel.http.limits import CallerLimits
from koshel.http.preconditions import Tags
from koshel.http.prefer import Preference
from koshel.submit import Submit, rehearsed

JSON = "application/json"
PROBLEM = "application/problem+json"
HTML = "text/html"
TEXT = "text/plain"
CSV = "text/csv"
MERGE_PATCH = "application/merge-patch+json"

NO_HEADERS: Mapping[str, str] = {}


class Call(Struct):
    """One request: body and query decoded, key and preconditions checked.

    `path` holds what the route's braces matched; `body` and `query` are of the types that the route names.
    """

    service: Service
    caller: Caller
    api: Callable[[], Mapping[str, Any]]  # the OpenAPI document, made when somebody asks for it
    path: Mapping[str, str]
    headers: MultiMapping[str]
    body: Any
    size: int  # of the body, in bytes
    key: str | None
    prefer: Preference
    query: Any
    if_match: Tags | None = None
    if_none_match: Tags | None = None
    limits: CallerLimits | None = None  # of the caller, where a request counts as several
    name: str = ""  # of the request, as X-Request-Id has it
    batch_id: str | None = None  # of the batch that has settled its command
    trace: object = None  # of the request, if it has one

    @property
    def reads(self) -> SharedReads:
        """What can be read of the database, in the caller's turn."""
        return SharedReads(self.service.engine.store, self.caller.share)

    @property
    def rehearse(self) -> Submit:
        """What would become of a command, found out in the caller's turn."""
        return rehearsed(self.reads)

    @property
    def requests(self) -> Requests:
        """The commands of the caller's ledger."""
        return self.service.requests(self.caller.ledger_id)


class Reply(Struct):
    """One reply."""

    status: int
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS
    media_type: str = JSON
    closes: bool = False  # the connection, after it
    code: str | None = None  # of the problem that it is, if it is one
    stream: AsyncIterator[bytes] | None = None  # the body, if it comes in parts


def json(status: int, value: object, headers: Mapping[str, str] = NO_HEADERS) -> Reply:
    """A reply with a JSON body. Metadata in order of its names: an answer that is replayed is the same to the byte."""
    return Reply(status, msgspec.json.encode(value, order="deterministic") + b"\n", headers)
