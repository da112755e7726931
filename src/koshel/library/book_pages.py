"""How a program reads lists: page by page, as they are used, with a filter where one is given."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, structs

from koshel.asking.checks import checked_id
from koshel.asking.requests import Requests
from koshel.core.model import AccountDetails
from koshel.db.reading.filters import Expression, Fields
from koshel.db.reading.pages import Ask
from koshel.db.reading.wanted import Listed, MixedOrders, NotIndexed, TooWide
from koshel.db.reads import Reads
from koshel.errors import Refused
from koshel.inputs import filters, values
from koshel.inputs.texts import AccountRef, asked
from koshel.library.life import Life

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection
    from koshel.db.queries import Queries

PAGE = 100  # of a list that is read

ItemT = TypeVar("ItemT")


class BookPages:
    """What reads pages; who inherits it says over what."""

    requests: Requests
    _reads: Reads
    _life: Life

    async def _walk(
        self,
        look: Callable[..., Awaitable[Listed[ItemT, Any]]],
        wanted: Struct,
        *,
        newest_first: bool,
        fields: Fields[Any],
        filter_: str | None = None,
    ) -> AsyncIterator[ItemT]:
        """The items of all pages, each read when the one before is used up. `fields`: those that a filter may name."""
        self._life.check()
        said = {name: value for name, value in structs.asdict(wanted).items() if value is not None}
        values.fields(said, type(wanted))
        expression = await self._parsed(filter_, fields)
        ask = Ask(PAGE, "desc" if newest_first else "asc")
        while True:
            page = await self._page(look, wanted, ask, expression)
            for item in page.items:
                yield item
            if page.ends_at is None:
                return
            ask = Ask(PAGE, ask.order, page.ends_at)

    async def _parsed(self, filter_: str | None, fields: Fields[Any]) -> Expression | None:
        return None if filter_ is None else await filters.expression(filter_, fields)

    async def _page(
        self,
        look: Callable[..., Awaitable[Listed[ItemT, Any]]],
        wanted: Struct,
        ask: Ask,
        expression: Expression | None,
    ) -> Listed[ItemT, Any]:
        self._life.check()
        ledger_id = self.requests.ledger_id

        async def work(connection: "AnyConnection", q: "Queries") -> Listed[ItemT, Any]:
            return await look(connection, q, ledger_id, wanted, ask, expression=expression)

        try:
            return await self._reads.look_up(ledger_id, work)
        except (NotIndexed, TooWide, MixedOrders) as error:
            raise filters.why_not_found(error) from None

    async def _id_of(self, account: AccountRef) -> int:
        """The account's id; 0 if nobody has the name."""
        id_, name = asked(account, "account")
        if name is None:
            return checked_id(id_, "account")
        details = await self._reads.get_account(self.requests.ledger_id, name)
        return 0 if details is None else details.id

    async def _details(self, account: AccountRef) -> AccountDetails:
        self._life.check()
        id_, name = asked(account, "account")
        wanted = checked_id(id_, "account") if name is None else name
        details = await self._reads.get_account(self.requests.ledger_id, wanted)
        if details is None:
            raise Refused("account-not-found", {"account_id": id_} if name is None else {"name": name})
        return details
