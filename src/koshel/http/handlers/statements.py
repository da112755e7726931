"""The statement of an account between two moments: how it is shown, its handler and its route.

A statement comes in parts, as it is read: some lines at a time, each look-up on its own. Lines never change and their
versions have no gap, so all of them together are one snapshot, and nothing has to be kept open for it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, json

from koshel.core.money import add, plain, subtract
from koshel.db.queries import Queries
from koshel.db.reading import lines, transaction_lists
from koshel.db.reading.lines import Line, Stretch
from koshel.db.reading.pages import Ask
from koshel.db.reading.wanted import Listed, Position
from koshel.http import accept
from koshel.http.bodies import csv_lines
from koshel.http.call import CSV, JSON, Call, Reply
from koshel.http.handlers.lines import AccountLine, account_of, shown_line
from koshel.http.handlers.lists import Since, Until, between
from koshel.http.route import Route
from koshel.http.slots import Slot
from koshel.inputs.values import AccountName, Id

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

LINES_AT_ONCE = 100  # while they are made nothing else is done
BUSY_REST = 9  # of ten parts of the time nine are those of whom something is settled for
REST_MAX_S = 1.0  # between two parts


class StatementQuery(Struct, frozen=True):
    """From when on, and before when; from the first line on, to what is the last one now, if nothing is said."""

    since: Since | UnsetType = UNSET
    until: Until | UnsetType = UNSET


class Statement(Struct, frozen=True):
    """An account between two moments: opening_balance + total_in - total_out = closing_balance."""

    account_id: Id
    currency: str
    opening_balance: str
    closing_balance: str
    lines: Annotated[list[AccountLine], Meta(description="The oldest first.")]
    total_in: str
    total_out: str
    name: Annotated[AccountName, Meta(description="Of the account, if it has one.")] | UnsetType = UNSET


async def get_statement(call: Call) -> Reply:
    """GET /account/{id}/statement, as JSON or as CSV."""
    account = await account_of(call)
    since, until = between(call.query)
    assert call.limits is not None
    slot = call.limits.streams.take(call.caller.share)
    try:
        stretch = await call.reads.look_up(
            account.ledger_id, lambda connection, q: lines.stretch(connection, q, account, since, until)
        )
    except BaseException:
        del slot  # an exception may keep what its frames had for longer
        raise
    table, document = accept.wanted(call.headers, CSV, JSON)
    is_csv = table.weight > 0 and table > document
    shape = _as_csv if is_csv else _as_json
    media_type = f"{CSV}; charset=utf-8; header=present" if is_csv else JSON
    return Reply(200, b"", {"Vary": "Accept"}, media_type, stream=_held(slot, shape(call, stretch)))


async def _held(slot: Slot, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream, which keeps a slot until it ends."""
    async for part in stream:
        yield part
    del slot


async def _parts(call: Call, stretch: Stretch) -> AsyncIterator[Sequence[Line]]:
    """The lines, some at a time; while others wait for an answer, it rests."""
    batcher, account = call.service.engine.batcher, stretch.account
    start = None

    async def timed(connection: "AnyConnection", q: Queries) -> tuple[Listed[Line, Position], float]:
        began = time.perf_counter()
        page = await transaction_lists.statement_lines(connection, q, stretch, Ask(LINES_AT_ONCE, "asc", start))
        return page, time.perf_counter() - began  # without the time that it waits, and that the client takes

    while stretch.closing.version > stretch.opening.version:
        # Its reply has begun: it takes its turn, and is not refused.
        page, took = await call.reads.look_up(account.ledger_id, timed, weight=0)
        yield page.items
        if page.ends_at is None:
            return
        start = page.ends_at
        if not batcher.is_idle:
            await asyncio.sleep(min(BUSY_REST * took, REST_MAX_S))


async def _as_json(call: Call, stretch: Stretch) -> AsyncIterator[bytes]:
    account, opening, closing = stretch.account, stretch.opening, stretch.closing
    name = "" if account.name is None else f'"name":"{account.name}",'
    begin = (
        f'{{"account_id":{account.id},{name}"currency":"{account.currency}","opening_balance":"{plain(opening.balance)}",'
        f'"closing_balance":"{plain(closing.balance)}","lines":['
    )
    yield begin.encode()
    total_in = total_out = subtract(opening.balance, opening.balance)
    between_them = b""
    async for some in _parts(call, stretch):
        yield between_them + b",".join(json.encode(shown_line(one), order="deterministic") for one in some)
        between_them = b","
        for one in some:
            if one.change > 0:
                total_in = add(total_in, one.change)
            else:
                total_out = subtract(total_out, one.change)
    yield f'],"total_in":"{plain(total_in)}","total_out":"{plain(total_out)}"}}\n'.encode()


async def _as_csv(call: Call, stretch: Stretch) -> AsyncIterator[bytes]:
    yield csv_lines.header()
    async for some in _parts(call, stretch):
        shown = [shown_line(one) for one in some]
        yield csv_lines.rows(
            csv_lines.row(one.version, one.transaction, (one.change, one.balance, one.held)) for one in shown
        )


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/account/{id}/statement",
        "Read the statement of an account",
        "get_statement",
        get_statement,
        None,
        {200: Statement},
        ("database-unavailable", "overloaded", "account-not-found", "history-archived"),
        query=StatementQuery,
        also=CSV,
    ),
)
