"""What a reader of large books waits for: pages, at the beginning and far behind it, balances, statements."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from statistics import median
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from bench.large_books import Size

PAGE = 50
DEEP = 10_000  # the page
LIMIT = 500  # of the pages on the way there
WARM_UP = 20  # requests: a connection's first ones are planned

Ask = Callable[[], str]


class LargeBooksWrong(Exception):
    """An answer that large books cannot give."""


class Look(Struct, frozen=True):
    """How long one kind of request takes, in milliseconds."""

    name: str
    p50_ms: float
    p99_ms: float
    compared_with: str = ""  # the kind whose median is divided by


class Page(Struct):
    """Of an answer that is a page, what leads on."""

    next: str | None


class Reader:
    """One connection, over which one request goes after the other."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str) -> bytes:
        """The body. Raises LargeBooksWrong."""
        self._connection.request("GET", path)
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise LargeBooksWrong(f"{path}: {reply.status} {body[:200].decode()}")
        return body

    def first_byte(self, path: str) -> None:
        """Ask, wait for the first byte, and leave the rest."""
        self._connection.request("GET", path)
        reply = self._connection.getresponse()
        if reply.status != 200 or not reply.read(1):
            raise LargeBooksWrong(f"{path}: {reply.status}")
        self._connection.close()

    def cursor_after(self, path: str, items: int) -> str:
        """The cursor after so many items of a list, as its pages say it."""
        cursor, left = "", items
        while left > 0:
            query = {"limit": min(LIMIT, left), **({"after": cursor} if cursor else {})}
            page = msgspec.json.decode(self.get(f"{path}{'&' if '?' in path else '?'}{urlencode(query)}"), type=Page)
            if page.next is None:
                raise LargeBooksWrong(f"{path} ends before item {items}")
            cursor, left = page.next, left - LIMIT
        return cursor


def looks(port: int, size: Size, asks: int) -> list[Look]:
    """Each kind of request, so many times."""
    return list(_looks(Reader(port), size, asks))


def _looks(reader: Reader, size: Size, asks: int) -> Iterator[Look]:
    chance = random.Random(17)
    hub = f"/account/{size.hub}"

    def moment() -> datetime:
        return datetime.now(UTC) - timedelta(seconds=864_000 - chance.random() * size.transactions / 50_000)

    def at() -> str:
        return urlencode({"at": moment().isoformat()})

    for path, name, items in (
        ("/transaction", "transactions", size.transactions),
        (f"{hub}/transaction", "lines of the account with the longest history", size.lines),
        ("/account", "accounts", size.accounts),
    ):
        depth = min(DEEP * PAGE, items - items // 10)
        cursor = reader.cursor_after(path, depth)
        deep = f"page {depth // PAGE:,} of {name}"
        yield _timed(f"page 1 of {name}", partial(reader.get, f"{path}?limit={PAGE}"), asks)
        onward = f"{path}?{urlencode({'limit': PAGE, 'after': cursor})}"
        yield _timed(deep, partial(reader.get, onward), asks, f"page 1 of {name}")
    kinds: dict[str, Ask] = {
        "lines of an account": lambda: f"/account/{chance.randint(1, size.accounts)}/transaction",
        "a balance at a time": lambda: f"/account/{chance.randint(1, size.accounts)}/balance?{at()}",
        "a balance at a time, longest history": lambda: f"{hub}/balance?{at()}",
        "a balance by value date, longest history": lambda: f"{hub}/balance?as_of={moment().date()}",
        "changes of an account": lambda: f"/account/{chance.randint(1, size.accounts)}/change",
        "transactions of a reference": lambda: f"/transaction?reference=order-{chance.randint(0, size.lines // 100)}",
        "transactions of a kind": lambda: "/transaction?kind=payment",
        "a transaction": lambda: f"/transaction/{chance.randint(1, size.transactions)}",
        "accounts by prefix": lambda: f"/account?name=users:{chance.randint(1, size.accounts) // 100}*",
        **{name: partial(str, f"{path}?{urlencode({'filter': text})}") for name, path, text in _filters(hub)},
        "a time, and what no index finds": lambda: "/transaction?since=2000-01-01T00:00:00Z&metadata.plan=gold",
    }
    for name, path_of in kinds.items():
        yield _timed(name, partial(_get, reader, path_of), asks)
    yield _timed("a statement's first byte, longest history", lambda: reader.first_byte(f"{hub}/statement"), asks)


def _filters(hub: str) -> Iterator[tuple[str, str, str]]:
    """A filter of each kind: what it is, its list, and its text. Most find nothing: these look at the most rows."""
    seldom = 'description = "x"'
    yield "filter: all that it looks at", "/transaction", "kind = transfer and amount > 0"
    yield "filter: one in twenty", "/transaction", "kind = transfer and reference != null"
    yield "filter: nothing, by own rows", "/transaction", "kind = transfer and amount > 5"
    yield "filter: nothing, by a currency", "/transaction", "ctime >= 2000-01-01T00:00:00Z and currency = EUR"
    yield "filter: nothing, by a description", "/transaction", f"kind = transfer and {seldom}"
    yield "filter: nothing, by metadata", "/transaction", "kind = payment and metadata.plan = gold"
    yield "filter: nothing, by either of two indexes", "/transaction", f"kind = transfer and {seldom} or account_id = 7"
    yield "filter: accounts by their ids", "/transaction", "account_id in (1, 2, 3, 4, 5, 6, 7, 8)"
    yield "filter: nothing of the longest history", f"{hub}/transaction", seldom
    yield "filter: changes of the longest history", f"{hub}/transaction", "change > 0 and balance < 100"
    yield "filter: nothing of accounts", "/account", "currency = USD and balance < 0"
    yield "filter: nothing of accounts by prefix", "/account", "name = users:* and metadata.plan = gold"


def _get(reader: Reader, path_of: Ask) -> bytes:
    return reader.get(path_of())


def _timed(name: str, ask: Callable[[], object], asks: int, compared_with: str = "") -> Look:
    took = []
    for number in range(WARM_UP + asks):
        start = time.perf_counter()
        ask()
        if number >= WARM_UP:
            took.append((time.perf_counter() - start) * 1_000)
    took.sort()
    return Look(name, median(took), took[min(len(took) - 1, len(took) * 99 // 100)], compared_with)
