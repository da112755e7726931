"""The refusal of a sender that nobody knows, whose request aiohttp has read: told when it is its turn."""

import asyncio

from aiohttp import web

from koshel.http.limits import CallerLimits
from koshel.http.response import Response


async def wait_for_turn(request: web.Request, response: Response, limits: CallerLimits) -> None:
    """Wait until the client may be told; the wait is none of the time that the request took.

    If the client hangs up meanwhile, the refusal is counted all the same, and in the access log.
    """
    assert response.began is not None, "the request came to a route"
    client, loop = limits.proxies.client_of(request.remote, request.headers), asyncio.get_running_loop()
    arrived = loop.time()
    try:
        await limits.rests.pause_unknown(client, request.protocol)
    except asyncio.CancelledError:
        response.began += loop.time() - arrived
        request.protocol.log_access(request, response, arrived)
        raise
    response.began += loop.time() - arrived
