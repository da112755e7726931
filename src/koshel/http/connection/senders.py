"""Who sends the requests of the express lane: remembered, looked up, or not known, which is answered at leisure.

Whoever sends wrong keys as fast as can be costs little: no request object, one statement for many keys, and no more
refusals a second than a client's address may have. Good keys do not wait for them.
"""

import asyncio
from collections.abc import Callable

from koshel.access.authentication import Authentication
from koshel.callers import ANYBODY, Caller, IssuerUnavailable, Scope, Unauthenticated
from koshel.config.proxies import SAY_PASSED_ON
from koshel.db.errors import StoreError
from koshel.errors import Overloaded
from koshel.http.authorization import token_of
from koshel.http.connection.pending_reply import PendingReply
from koshel.http.connection.plain import NotPlain, Plain
from koshel.http.limits import CallerLimits


class ToBeLookedUp(Exception):
    """Nothing is remembered of the token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token


class Senders:
    """Those of one process; everybody may send all, where there is no authentication."""

    def __init__(self, authentication: Authentication | None, limits: CallerLimits) -> None:
        self._authentication = authentication
        self._rests, self._proxies = limits.rests, limits.proxies
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, plain: Plain, pending: PendingReply) -> Caller:
        """Who sends a request.

        Raises ToBeLookedUp, NotPlain, Unauthenticated, IssuerUnavailable, Overloaded, StoreError.
        """
        if pending.error is not None:
            raise pending.error
        if self._authentication is None:
            return ANYBODY
        asks = self._authentication.asks
        if not asks:
            if asks is None or not SAY_PASSED_ON.isdisjoint(plain.said):
                raise NotPlain  # whether there are keys has to be asked, or there may be a proxy
            return ANYBODY
        sent = plain.authorization
        caller = self._authentication.remembered(sent[7:]) if sent is not None and sent[:7] == b"Bearer " else None
        if caller is None:
            header = plain.said.get("authorization") if sent is None else sent.decode("latin1").strip(" \t")
            if header is None:
                raise Unauthenticated("absent")
            if not (header.isascii() and header.isprintable()):
                raise NotPlain
            token = token_of(header)
            caller = self._authentication.known(token)
            if caller is None:
                raise ToBeLookedUp(token)
        if caller.scope is Scope.READ:
            raise NotPlain
        return caller

    def ask(self, pending: PendingReply, token: str, again: Callable[[], None]) -> None:
        """Look the token up; then the request is read `again`, with what is remembered, or with the pending's error."""
        task = self._loop.create_task(self._ask(pending, token, again))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refuse(self, pending: PendingReply, error: Unauthenticated, peer: object) -> None:
        """Answer when it is the turn of the client's address: at once, if few of its requests are refused."""
        address, said = str(peer[0]) if isinstance(peer, tuple) else None, pending.plain.said  # as aiohttp has it
        client = self._proxies.client(address, said.get("forwarded"), said.get("x-forwarded-for"))
        rests = self._rests
        pending.refuse_at(rests.turn_of_unknown(client, self._loop.time()), error, rests.waiting)

    async def _ask(self, pending: PendingReply, token: str, again: Callable[[], None]) -> None:
        assert self._authentication is not None, "it was asked who the token is"
        try:
            await self._authentication.find(token)
        except (Unauthenticated, IssuerUnavailable, Overloaded, StoreError) as error:
            pending.error = error
        except Exception:  # noqa: BLE001  whatever it is, aiohttp meets it again, and answers it
            pending.error = NotPlain()
        if not pending.done():  # else the caller hung up
            again()
