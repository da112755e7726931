"""A route: what it takes, who answers it, and what the answers may be."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import fields, force_setattr

from koshel.callers import Scope
from koshel.core.commands import Request
from koshel.http.answers import answer
from koshel.http.bodies import wire
from koshel.http.call import Call, Reply
from koshel.http.parameters import DryRun, MoneyHeaders, Nothing, names
from koshel.http.preconditions import HEADERS

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
Asks: TypeAlias = Callable[[Call], Request]

# What any request may be answered, and before that, one of a route that needs a scope.
CONFINED = ("unauthorized", "forbidden", "rate-limited", "issuer-unavailable", "database-unavailable")
ALWAYS = ("malformed-request", "headers-too-large", "cross-site", "validation-failed", "internal-error")
POST = (
    "malformed-json",
    "unsupported-media-type",
    "body-too-large",
    "request-timeout",
    "validation-failed",
    "idempotency-key-reused",
    "overloaded",
    "database-unavailable",
    "outcome-unknown",
)
MONEY = (*POST, "account-frozen", "account-closed")
MOVE = (*MONEY, "account-not-found", "insufficient-funds", "balance-limit-exceeded", "limit-exceeded")


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
    also: str | None = None  # another media type that a reply may have, if it is asked for
    is_page: bool = False  # HTML for a browser, JSON otherwise
    scope: Scope | UnsetType | None = (
        UNSET  # that a caller needs; None: it is open to everybody; left out: by the method
    )
    is_for_operator: bool = False  # it concerns the service as a whole, and not one ledger
    outlives_database: bool = False  # who was known before the database went away may ask it

    def __post_init__(self) -> None:
        """Who reads needs the scope for that, who changes something another one."""
        if self.scope is UNSET:
            force_setattr(self, "scope", Scope.READ if self.method == "GET" else Scope.WRITE)

    @property
    def takes_key(self) -> bool:
        """Whether the request may have an Idempotency-Key."""
        return "Idempotency-Key" in names(self.headers)

    @property
    def all_problems(self) -> Sequence[str]:
        """The codes of all its errors, each once."""
        return tuple(dict.fromkeys((*self.problems, *(CONFINED if self.scope else ()), *ALWAYS)))

    @property
    def queues(self) -> bool:
        """Whether what it asks for waits in the batcher's queue: what makes transactions does."""
        return self.asks is not None or self.weight > 1

    @property
    def label(self) -> str:
        """By which metrics and logs know it."""
        return f"{self.method} {self.path}"

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


def making(
    path: str,
    summary: str,
    name: str,
    *,
    body: type[Struct],
    asks: Asks,
    problems: Sequence[str],
    reply: type[Struct] = wire.Transaction,
) -> Route:
    """A route that makes one transaction: now, in the background, or only as it would be."""
    replies: dict[int, type[Struct]] = {200: reply, 201: reply, 202: wire.Transaction}
    said = {200: "A dry run: what would happen."}
    return Route(
        "POST",
        path,
        summary,
        name,
        None,
        body,
        replies,
        problems,
        asks=asks,
        said=said,
        query=DryRun,
        headers=MoneyHeaders,
    )


def is_optional(body: type[Struct]) -> bool:
    """Whether a request may come without this body, as all its fields may be left out."""
    return not any(one.required for one in fields(body))
