"""What a plain request is: a route that moves money, a head of known headers, JSON of the length it says.

A request that could be read in two ways is not plain: it must not mean one thing here, and another to aiohttp.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET
from multidict import CIMultiDict, MultiMapping

from koshel.app import Service
from koshel.callers import Caller
from koshel.config.settings import Settings
from koshel.core.commands import Move, Request
from koshel.core.reach import weight_of
from koshel.http import receive
from koshel.http.call import Call
from koshel.http.handlers.routes import ROUTES
from koshel.http.origins import Origins
from koshel.http.parameters import DryRun
from koshel.http.prefer import NONE
from koshel.http.route import Asks, is_optional
from koshel.inputs.texts import AT, is_account_name, is_key

if TYPE_CHECKING:
    from koshel.telemetry.tracing import RequestTrace, Tracing

HEAD_MAX = 4_096  # bytes
HEADS_MAX = 1_000  # that are kept, to be looked up
DIGITS_MAX = 10  # of a Content-Length
END = b"\r\n\r\n"

# As most clients write them; any other way they are read as the other lines are.
_KEY = b"\r\nIdempotency-Key: "
_AUTHORIZATION = b"\r\nAuthorization: "
_OTHER_EACH_TIME = frozenset({"idempotency-key", "authorization", "x-request-id", "traceparent", "tracestate"})
# The values of these change nothing that is done here, or only what others do with the reply.
_PASSED_OVER = {
    *("accept", "accept-encoding", "accept-language", "authorization", "cache-control", "forwarded", "host", "pragma"),
    *(
        "traceparent",
        "tracestate",
        "user-agent",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
    ),
    "x-request-id",
}
_METHODS = (b"GET /", b"HEAD /", b"POST /", b"PATCH /", b"PUT /", b"DELETE /", b"OPTIONS /")
_QUERY = DryRun()  # a plain request has none
_NO_HEADERS: MultiMapping[str] = CIMultiDict()  # what makes a transaction looks at none of them here
_JSON = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})


Said: TypeAlias = Mapping[str, str]


class NotPlain(Exception):
    """What the request asks for is not decided now, or its sender may not ask for it."""


class PlainRoute(NamedTuple):
    """A route, as it is served here."""

    asks: Asks
    label: str  # by which metrics and logs know it
    decoder: "msgspec.json.Decoder[Any]"
    is_optional: bool  # a request may come without a body


class Plain(NamedTuple):
    """A plain request; `end` is where the next one begins."""

    route: PlainRoute
    path: str
    id: str
    said: Said  # by its headers
    body: bytes
    end: int
    authorization: bytes | None  # the header's value, if it is written as most clients do

    @property
    def credentials(self) -> bytes | str | None:
        """The header's value, however it is written."""
        return self.authorization or self.said.get("authorization")

    def begin(self, tracing: "Tracing") -> "RequestTrace":
        """Its span."""
        return tracing.request("POST", self.route.label, self.said.get("traceparent"), self.said.get("tracestate"))


class Reader:
    """Reads plain requests, for all connections of a process."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._head_max = min(HEAD_MAX, settings.header_bytes_max)
        self._body_max = settings.body_bytes_max
        self._origins = Origins(settings)
        self._heads: dict[bytes, Said] = {}  # header lines that were seen before
        routes = {
            one.path: PlainRoute(one.asks, one.label, msgspec.json.Decoder(one.body), is_optional(one.body))
            for one in ROUTES
            if one.asks is not None and one.body is not None
        }
        self._routes = {tuple(path.split("/")): route for path, route in routes.items()}
        # By the whole request line, where it has no id.
        self._lines = {
            f"POST {path} HTTP/1.1".encode(): (route, path, "") for path, route in routes.items() if "{id}" not in path
        }

    def read(self, data: bytes, start: int) -> Plain | Literal["partial"] | None:
        """The request that begins at `start`; `partial` if the rest may still come, None if it is not plain."""
        end = data.find(END, start, start + self._head_max)
        if end < 0:
            is_head = data.startswith(b"POST /", start) and len(data) - start < self._head_max
            return "partial" if is_head else None
        first, _, lines = data[start:end].partition(b"\r\n")
        authorization, lines = _cut(lines, _AUTHORIZATION)
        found, said = self._route(first), self._said(lines)
        if found is None or said is None or (authorization is not None and "authorization" in said):
            return None
        start, length = end + len(END), said.get("content-length")
        if length is None:
            return Plain(*found, said, b"{}", start, authorization) if found[0].is_optional else None
        end = start + int(length)
        if not start < end <= start + self._body_max or "content-type" not in said:
            return None
        return "partial" if end > len(data) else Plain(*found, said, data[start:end], end, authorization)

    def command(self, plain: Plain, caller: Caller) -> tuple[Request, int]:
        """The request's command, and how many it counts as. Raises whatever is wrong with it."""
        body = receive.decode(plain.route.decoder, plain.body)
        if body.execute_at is not UNSET:
            raise NotPlain
        key, size = plain.said.get("idempotency-key"), len(plain.body)
        call = Call(self._service, caller, dict, {"id": plain.id}, _NO_HEADERS, body, size, key, NONE, _QUERY)
        command = plain.route.asks(call)
        return command, 1 if type(command) is Move else weight_of(command)  # nearly all are moves

    def _route(self, first: bytes) -> tuple[PlainRoute, str, str] | None:
        """The route that a request line names, its path, and the id in that, or the name with its @."""
        if found := self._lines.get(first):
            return found
        if not first.startswith(b"POST /") or not first.endswith(b" HTTP/1.1"):
            return None
        path = first[5:-9].decode("latin1")
        parts = path.split("/")
        if len(parts) != 4 or not (parts[2].isdecimal() or (parts[2][:1] == AT and is_account_name(parts[2][1:]))):
            return None
        route = self._routes.get((*parts[:2], "{id}", parts[3]))
        return None if route is None else (route, path, parts[2])

    def _said(self, lines: bytes) -> Said | None:
        """What header lines say, by name; None if one is not plain, or comes twice.

        A client's lines are nearly always the same, but for the key's. Without that one they are looked up whole.
        """
        sent, lines = _cut(lines, _KEY)
        said = self._heads.get(lines) or self._learn(lines)
        if sent is None or said is None:
            return said
        key = sent.decode("latin1")
        return {**said, "idempotency-key": key} if is_key(key) and "idempotency-key" not in said else None

    def _learn(self, lines: bytes) -> Said | None:
        said: dict[str, str] = {}
        for line in lines.decode("latin1").split("\r\n"):
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip(" \t")
            if name in said or not value.isascii() or not value.isprintable() or not _is_plain(name, value):
                return None
            said[name] = value
        if "host" not in said or not self._origins.is_known_host(said["host"]):
            return None
        if said.keys().isdisjoint(_OTHER_EACH_TIME):
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            self._heads[lines] = said
        return said


def _cut(lines: bytes, name: bytes) -> tuple[bytes | None, bytes]:
    """The value of the first line that begins so, None if none does; and the other lines."""
    at = lines.find(name)
    if at < 0:
        return None, lines
    stop = lines.find(b"\r\n", at + 2)
    stop = len(lines) if stop < 0 else stop
    return lines[at + len(name) : stop], lines[:at] + lines[stop:]


def _is_plain(name: str, value: str) -> bool:
    match name:
        case "content-length":
            return value.isdecimal() and len(value) <= DIGITS_MAX
        case "content-type":
            return value.lower() in _JSON
        case "connection":
            return value.lower() == "keep-alive"
        case "idempotency-key":
            return is_key(value)
        case _:
            return name in _PASSED_OVER


def still_to_come(data: bytes) -> int:
    """How many bytes of the request that begins with `data` are still to come; -1 if that is not known."""
    head, end, body = data.partition(END)
    first, *lines = head.split(b"\r\n")
    lengths = []
    for line in lines:
        name, _, value = line.partition(b":")
        if not name.replace(b"-", b"").isalnum() or name.lower() in {b"transfer-encoding", b"upgrade"}:
            return -1
        if name.lower() == b"content-length":
            lengths.append(value.strip(b" "))
    if not end or not first.startswith(_METHODS) or head.count(b"\n") != len(lines):
        return -1
    length = lengths[0] if lengths else b"0"
    if len(lengths) > 1 or not length.isdigit() or len(length) > DIGITS_MAX:
        return -1
    return max(int(length) - len(body), -1)
