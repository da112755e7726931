"""A request's key, query and body as they come in, within their limits. Whatever is wrong with them is a Failure."""

import asyncio
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from msgspec import Struct

from koshel.http import explain
from koshel.http.names import deepest, twice
from koshel.http.parameters import QueryReader
from koshel.http.problems import Failure, header_invalid, parameter_invalid, validation_failed
from koshel.inputs.texts import is_key
from koshel.inputs.values import KEY_REASON, is_unicode

ACCEPTS = {"POST": "Accept-Post", "PATCH": "Accept-Patch", "PUT": "Accept"}


class BodyLimits(Struct, frozen=True):
    """The body that a route takes."""

    bytes_max: int
    timeout_s: float
    optional: bool  # the body may be left out
    media_types: tuple[str, ...]


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key, if there is one. Raises Failure."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not is_key(key) or len(request.headers.getall("Idempotency-Key")) > 1:
        raise header_invalid("Idempotency-Key", f"{KEY_REASON}, once")
    return key


def refuse_idempotency_key(request: web.Request) -> None:
    """Raises Failure if there is an Idempotency-Key: nobody shall rely on what is not kept."""
    if "Idempotency-Key" in request.headers:
        raise header_invalid("Idempotency-Key", "is not taken here")


def query(request: web.Request, reader: QueryReader[Struct]) -> Struct:
    """The parameters of the request's query. Raises Failure."""
    raw = request.rel_url.raw_query_string
    if not raw:
        return reader.none
    return reader.read(request.query.items() if raw.isascii() and "%" not in raw else _pairs(raw))


def _pairs(raw: str) -> list[tuple[str, str]]:
    """The parameters of a query with escapes. aiohttp reads what is not UTF-8 as U+FFFD, which a text may have."""
    pairs = parse_qsl(raw, keep_blank_values=True, errors="surrogateescape")
    for pair in pairs:
        if not all(map(is_unicode, pair)):
            raise parameter_invalid(pair[0], "must be UTF-8")
    return pairs


async def body(request: web.Request, limits: BodyLimits) -> bytes:
    """The whole body; an optional one that is left out is an empty object. Raises Failure."""
    if limits.optional:  # an empty body needs no type, however it is sent
        received = await _whole(request, limits) if request.body_exists else b""
        if not received:
            return b"{}"
        _check_type(request, limits)
        return received
    _check_type(request, limits)
    return await _whole(request, limits)


def media_type(request: web.Request) -> str:
    """The media type that the body claims; empty if it claims none, or characters that are not UTF-8."""
    return _media_type(request.headers.get("Content-Type", ""))


@lru_cache(maxsize=64)
def _media_type(header: str) -> str:
    name, *parameters = header.split(";")
    for parameter in parameters:
        attribute, _, value = parameter.partition("=")
        if attribute.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            return ""
    return name.strip().lower()


def _check_type(request: web.Request, limits: BodyLimits) -> None:
    if media_type(request) not in limits.media_types:
        taken = ", ".join(limits.media_types)
        detail = f"Send JSON in UTF-8, with Content-Type: {' or '.join(limits.media_types)}."
        raise Failure("unsupported-media-type", detail, {ACCEPTS[request.method]: taken})
    if "Content-Encoding" in request.headers:
        codings = ",".join(request.headers.getall("Content-Encoding")).split(",")
        if any(coding.strip().lower() not in {"", "identity"} for coding in codings):
            detail = "Send the body as it is, without a Content-Encoding."
            raise Failure("unsupported-media-type", detail, {"Accept-Encoding": "identity"})


async def _whole(request: web.Request, limits: BodyLimits) -> bytes:
    if request.content.is_eof():  # the body came together with the head, as nearly all do
        received = request.content.read_nowait()
    else:
        received = await _rest(request, limits)
    if len(received) > limits.bytes_max:
        raise _too_large(limits.bytes_max)
    return received


async def _rest(request: web.Request, limits: BodyLimits) -> bytes:
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
    """The body as the decoder's struct. Raises Failure."""
    try:
        decoded = decoder.decode(received)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unusable(decoder, received, error) from error
    if (pointer := twice(received)) is not None:
        raise validation_failed(pointer, "comes twice in its object")
    return decoded


def _unusable(decoder: "msgspec.json.Decoder[Any]", received: bytes, error: Exception) -> Failure:
    """A body that is not JSON at all, or else the first field that is wrong."""
    if (detail := explain.not_json(received)) is not None:
        return Failure("malformed-json", detail)
    if isinstance(error, RecursionError):
        return validation_failed(deepest(received), explain.TOO_DEEP)
    if not isinstance(error, msgspec.ValidationError):
        return Failure("malformed-json", "A text in the body is not Unicode: it has half of a surrogate pair.")
    if (pointer := twice(received)) is not None:
        return validation_failed(pointer, "comes twice in its object")
    return validation_failed(*explain.fault(received, decoder.type))
