"""A reply's body in parts, as they are made: one waits until the client has taken those before it.

Memory does not grow with the body. A client that does not read is cut off by `connections.py`, like any other.
"""

from collections.abc import AsyncIterator

import structlog
from aiohttp import ClientConnectionResetError, HttpVersion11, web

from koshel.db.errors import StoreError

_log = structlog.get_logger()


async def send(stream: AsyncIterator[bytes], head: bytes, request: web.BaseRequest) -> None:
    """Send the head, then the body.

    What breaks off ends the connection, so that nobody takes a part for the whole.
    """
    transport = request.transport
    assert transport is not None
    is_chunked = request.version >= HttpVersion11
    transport.write(head)
    try:
        async for part in stream:
            if transport.is_closing():
                raise ClientConnectionResetError("the client has gone")
            transport.write(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
            await request.writer.drain()
    except StoreError as error:
        _log.warning("a reply is broken off: the database is unavailable", error=str(error))
        transport.abort()
        raise ClientConnectionResetError("broken off") from error
    if is_chunked:
        transport.write(b"0\r\n\r\n")
