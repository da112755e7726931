"""A page with a filter waits as what it may cost: as the keys that it may look at."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from koshel.db.reading.filter_fields import TRANSACTION_FIELDS
from koshel.db.reading.pages import FILTERED_MAX, Ask
from koshel.db.reading.wanted import Listed, TransactionsWanted
from koshel.db.reads import weight_of
from koshel.http.call import Call
from koshel.http.filtering import looked_up


@pytest.mark.parametrize(
    ("text", "limit", "rows"),
    [(None, 50, 50), (None, 500, 500), ("kind = hold", 50, FILTERED_MAX), ("kind = hold", 500, 500)],
)
async def test_a_page_weighs_as_the_rows_it_may_look_at(text: str | None, limit: int, rows: int) -> None:
    weights = list[int]()

    async def look_up(_: int, __: Any, *, weight: int) -> Listed[Any, Any]:
        weights.append(weight)
        return Listed([], None)

    call = cast("Call", SimpleNamespace(caller=SimpleNamespace(ledger_id=1), reads=SimpleNamespace(look_up=look_up)))
    await looked_up(call, look_up, (TransactionsWanted(filter=text), Ask(limit)), TRANSACTION_FIELDS)
    assert weights == [weight_of(rows)]
