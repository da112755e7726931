"""The filter of a list: its parameter, and a page that is looked up with it, or refused."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol, TypeVar

from msgspec import Meta

from koshel.db.reading.filters import Expression, Fields
from koshel.db.reading.pages import FILTERED_MAX, Ask
from koshel.db.reading.wanted import BadPosition, Listed, MixedOrders, NotIndexed, TooWide
from koshel.db.reads import weight_of
from koshel.http.call import Call
from koshel.http.pages import not_indexed
from koshel.http.problems import parameter_invalid
from koshel.inputs import filters
from koshel.inputs.values import Invalid

ItemT = TypeVar("ItemT")

_FILTER = 'Comparisons, such as `kind = refund and amount >= 10.00 or reference = "order-17"`.'

Filter = Annotated[str, Meta(min_length=1, max_length=filters.LENGTH_MAX, description=_FILTER)]


class Filtered(Protocol):
    """Filters of a list, one of which may be an expression."""

    @property
    def filter(self) -> str | None:
        """The expression as it was sent."""


async def parsed(asked: Filtered, fields: Fields[Any]) -> Expression | None:
    """The expression of a list whose rows have these fields. Raises Failure."""
    try:
        return None if asked.filter is None else await filters.expression(asked.filter, fields)
    except Invalid as error:
        raise parameter_invalid(error.field, error.reason) from None


async def looked_up(
    call: Call, look: Callable[..., Awaitable[Listed[ItemT, Any]]], asked: tuple[Filtered, Ask], fields: Fields[Any]
) -> Listed[ItemT, Any]:
    """A page of a list whose rows have these fields. Raises Failure."""
    ledger_id, expression = call.caller.ledger_id, await parsed(asked[0], fields)
    rows = asked[1].limit if expression is None else max(asked[1].limit, FILTERED_MAX)
    try:
        return await call.reads.look_up(
            ledger_id,
            lambda connection, q: look(connection, q, ledger_id, *asked, expression=expression),
            weight=weight_of(rows),
        )
    except NotIndexed as error:
        raise not_indexed(error) from None
    except (TooWide, MixedOrders, BadPosition) as error:
        invalid = filters.why_not_found(error)
        raise parameter_invalid(invalid.field, invalid.reason) from None
