"""Clients with connections to every worker of a service."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.support.keyed import Client, Said
from tests.support.service import Running

CONNECTIONS = 24  # so many that each of the workers has some
LOADED_S = 3.0  # how long somebody else pays meanwhile: each connection is refused several times
PAYMENT = b'{"amount": "1"}'


class Crowd:
    """Clients of one service, with connections to all of its workers."""

    def __init__(self, service: Running) -> None:
        self._clients = [Client(service.port) for _ in range(CONNECTIONS)]
        self._pool = ThreadPoolExecutor(CONNECTIONS)

    def ask(self, method: str, path: str, body: bytes | None, *headers: tuple[str, str]) -> list[Said]:
        """The same request over each connection, all at once."""
        sent = [self._pool.submit(one.ask, method, path, body, *headers) for one in self._clients]
        return [one.result() for one in sent]

    def statuses(self, *headers: tuple[str, str]) -> set[int]:
        """Those of a payment."""
        return {one.status for one in self.ask("POST", "/account/1/payment", PAYMENT, *headers)}

    def wait_for(self, status: int, *headers: tuple[str, str]) -> float:
        """How long it takes until every worker answers with this status, and with no other for a while."""
        began = time.monotonic()
        while self.statuses(*headers) != {status}:
            assert time.monotonic() - began < 20, "not every worker has heard of it"
        took = time.monotonic() - began
        assert all(self.statuses(*headers) == {status} for _ in range(3))
        return took

    def close(self) -> None:
        """End them."""
        self._pool.shutdown()
        for one in self._clients:
            one.close()
