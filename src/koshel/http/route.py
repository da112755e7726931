"""A route: what it takes, who answers it, and what the answers may be."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from msgspec import Struct

from koshel.core.commands import Request
from koshel.http.answers import answer
from koshel.http.call import Call, Reply
from koshel.http.parameters import Nothing, names
from koshel.http.preconditions import HEADERS

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
Asks: TypeAlias = Callable[[Call], Request]


class Route(Struct, frozen=True):
    """One route. `replies` is the type of the body by status; `problems` are the codes of its errors.

    `body`, `query` and `headers` are the types of what a request says; what is in none of them is refused.

    Either it has a `handler`, or it makes one transaction: then `asks` says for which command a call asks.
    """

    method: str
    path: str
    summary: str
    name: str  # the operationId: what a generated client calls it
    handler: Handler | None = None
    body: type[Struct] | None = None
    replies: Mapping[int, type[Struct] | str] = {}
    problems: Sequence[str] = ()
    asks: Asks | None = None
    said: Mapping[int, str] = {}  # what a reply of this status says, if not what such a status always says
    query: type[Struct] = Nothing
    headers: type[Struct] = Nothing
    passes_over: AbstractSet[str] = frozenset()  # preconditions that may come, and are not looked at
    bytes_max: str = "body_bytes_max"  # the setting that says how large its body may be
    weight: int = 1  # what a dry run counts as, before its body is read
    is_page: bool = False  # HTML for a browser, JSON otherwise

    @property
    def preconditions(self) -> AbstractSet[str]:
        """The precondition headers that a request may have; any other is refused."""
        return self.passes_over | names(self.headers) & set(HEADERS)

    async def answer(self, call: Call) -> Reply:
        """The reply to a call. Raises whatever is not one."""
        if self.asks is not None:
            return await answer(call, self.asks(call))
        assert self.handler is not None, self
        return await self.handler(call)
