"""What comes in: a request's key and body, within their limits, or the problem that they are."""

import asyncio
import re
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from koshel.http.problems import Failure, validation_failed
from koshel.values import KEY_PATTERN

_KEY = re.compile(KEY_PATTERN)
_WHERE = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)


class Limits(Struct, frozen=True):
    """What a route takes of a body."""

    bytes_max: int
    timeout_s: float
    optional: bool  # it may be left out


def is_key(text: str) -> bool:
    """Whether it can be an idempotency key."""
    return _KEY.fullmatch(text) is not None


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key, if there is one. Raises Failure."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not is_key(key) or len(request.headers.getall("Idempotency-Key")) > 1:
        detail = "The header Idempotency-Key must be 1 to 255 visible ASCII characters, once."
        raise Failure(
            "validation-failed", detail, errors=[{"pointer": "", "header": "Idempotency-Key", "detail": detail}]
        )
    return key


def dry_run(request: web.Request, *, takes: bool) -> bool:
    """Whether only to say what would happen. A query that is not known is refused: it might have meant that."""
    if not request.rel_url.raw_query_string:
        return False
    for name, value in request.query.items():
        if not takes or name != "dry_run" or value not in {"true", "false"}:
            raise _unknown_parameter(name, "must be true or false" if takes and name == "dry_run" else "is not known")
    if len(request.query) > 1:
        raise _unknown_parameter("dry_run", "must come once")
    return request.query.get("dry_run") == "true"


def _unknown_parameter(name: str, detail: str) -> Failure:
    errors = [{"pointer": "", "parameter": name, "detail": detail}]
    return Failure("validation-failed", f"The parameter {name} {detail}.", errors=errors)


async def body(request: web.Request, limits: Limits) -> bytes:
    """The whole body; one that may be left out, and is, is an empty object. Raises Failure."""
    if limits.optional and not request.body_exists:
        return b"{}"
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        raise Failure("unsupported-media-type", "Send JSON, with Content-Type: application/json.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Failure("unsupported-media-type", "Send the body as it is, without a Content-Encoding.")
    if request.content.is_eof():  # it came together with the head, as nearly all do
        received = request.content.read_nowait()
    else:
        received = await _rest(request, limits)
    if len(received) > limits.bytes_max:
        raise _too_large(limits.bytes_max)
    return received or (b"{}" if limits.optional else b"")


async def _rest(request: web.Request, limits: Limits) -> bytes:
    if (request.content_length or 0) > limits.bytes_max:
        raise _too_large(limits.bytes_max)
    received = b""
    try:
        async with asyncio.timeout(limits.timeout_s):
            while len(received) <= limits.bytes_max and (chunk := await request.content.readany()):
                received += chunk
    except web.RequestPayloadError as error:
        raise Failure("malformed-request", "The body is not sent as HTTP says.") from error
    except TimeoutError as error:
        detail = f"The body did not arrive within {limits.timeout_s:g} s."
        raise Failure("request-timeout", detail) from error
    return received


def _too_large(bytes_max: int) -> Failure:
    return Failure("body-too-large", f"A body may have {bytes_max} bytes.")


def decode(decoder: "msgspec.json.Decoder[Any]", received: bytes) -> Any:
    """The body as the route's struct. Raises Failure."""
    try:
        return decoder.decode(received)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = "The body is not UTF-8." if isinstance(error, UnicodeDecodeError) else str(error)
        raise Failure("malformed-json", detail if received else "The body is empty.") from error


def _invalid(message: str) -> Failure:
    """A message of msgspec's, as a problem that points to the field."""
    match = _WHERE.fullmatch(message)
    assert match is not None, "the pattern takes any message"
    what = match["what"]
    pointer = re.sub(r"\[(\d+)\]", r"/\1", match["path"] or "").replace("[...]", "").replace(".", "/")
    if named := _UNKNOWN.fullmatch(what) or _MISSING.fullmatch(what):
        pointer += "/" + named["name"].replace("~", "~0").replace("/", "~1")
        what = "is not a field" if named.re is _UNKNOWN else "is required"
    elif match["key"]:
        what = f"{what} as a name"
    return validation_failed(pointer, what)
