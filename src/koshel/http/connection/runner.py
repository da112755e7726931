"""What serves in a worker: aiohttp's runner, with an express lane on each connection."""

from koshel.http.connection import protocol
from koshel.http.connection.express import Connection
from koshel.http.connection.plain import Reader
from koshel.http.connection.senders import Senders
from koshel.http.server import LIMITS, SERVICE


class Runner(protocol.Runner):
    """aiohttp's runner, with an express lane."""

    async def _make_server(self) -> protocol.Server:
        server, service = await super()._make_server(), self.app[SERVICE]
        server.connect = Connection
        reader, limits = Reader(service, self._settings), self.app[LIMITS]
        senders = Senders(service.authentication, limits)
        server.shared |= {"reader": reader, "batcher": service.engine.batcher, "limits": limits, "senders": senders}
        server.shared["tracing"] = service.tracing
        return server
