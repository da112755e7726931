"""An account's statement, written to a file: the lines that `GET /account/{id}/statement` has.

Some are read at a time. Lines never change and their versions have no gap, so all of them together are one snapshot.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, TypeAlias

from msgspec import UNSET, json

from koshel.core.model import AccountDetails
from koshel.db.reading import lines, transaction_lists
from koshel.db.reading.lines import Stretch
from koshel.db.reading.pages import Ask
from koshel.db.reads import Reads
from koshel.files.writing import writing
from koshel.files.written import written
from koshel.http.bodies import csv_lines
from koshel.http.handlers.lines import AccountLine, shown_line

LINES_AT_ONCE = 1_000

Between: TypeAlias = tuple[datetime | None, datetime | None]  # from when on, and before when; None: without end
Write: TypeAlias = Callable[[Sequence[AccountLine]], object]

_encode = json.Encoder(order="deterministic").encode


async def export_statement(
    path: str,
    form: str,
    reads: Reads,
    account: AccountDetails,
    between: Between,
    *,
    progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Write an account's lines; returns how many there were. Raises UnfitFile, OSError, ReaderGone, StoreError."""
    stretch = await reads.look_up(
        account.ledger_id, lambda connection, q: lines.stretch(connection, q, account, *between)
    )
    count, whole = 0, max(1, stretch.closing.version - stretch.opening.version)
    with written(path) as file, _writing(form, file) as write:
        async for some in _parts(reads, stretch):
            write(some)
            count += len(some)
            progress(count / whole)
    return count


async def _parts(reads: Reads, stretch: Stretch) -> AsyncIterator[Sequence[AccountLine]]:
    start = None
    while stretch.closing.version > stretch.opening.version:
        look = partial(transaction_lists.statement_lines, stretch=stretch, ask=Ask(LINES_AT_ONCE, "asc", start))
        page = await reads.look_up(stretch.account.ledger_id, look)
        yield [shown_line(one) for one in page.items]
        if page.ends_at is None:
            return
        start = page.ends_at


@contextmanager
def _writing(form: str, file: BinaryIO) -> Iterator[Write]:
    match form:
        case "jsonl":
            yield lambda some: file.writelines(_encode(one) + b"\n" for one in some)
        case "csv":
            file.write(csv_lines.header())
            yield lambda some: file.write(csv_lines.rows(map(_row, some)))
        case _:
            with writing(form, csv_lines.COLUMNS, file) as write:
                yield lambda some: write([_encode(_flat(one)) for one in some])


def _row(one: AccountLine) -> Sequence[str | int | None]:
    return csv_lines.row(one.version, one.transaction, (one.change, one.balance, one.held))


def _flat(one: AccountLine) -> dict[str, Any]:
    """The columns of a line; its transaction has all that are not of the account."""
    own: dict[str, Any] = {"version": one.version, "transaction_id": one.transaction.id}
    own |= {"change": one.change, "balance": one.balance, "held": one.held}
    values = {name: own[name] if name in own else getattr(one.transaction, name) for name in csv_lines.COLUMNS}
    return {name: value for name, value in values.items() if value is not UNSET}
