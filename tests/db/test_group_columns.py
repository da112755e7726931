"""Splits and exchanges are written with their transactions: each column is told, and all else is as without them."""

import re
from collections.abc import Sequence

import pytest

from koshel.db.mapping import exchange_columns
from koshel.db.mapping.tables import EXCHANGE, SPLIT, Columns
from tests.db.test_tables import inserted, names, statement


@pytest.mark.parametrize(
    ("table", "given", "begins", "alias", "follows"),
    [
        ("split", [one for one in SPLIT if one.name != "transaction_ids"], 28, "s", ["place"]),
        ("exchange", exchange_columns.GIVEN, 31, "e", ["id)", "id)"]),
    ],
)
def test_what_is_made_as_a_group_is_kept_with_every_column(
    table: str, given: Columns, begins: int, alias: str, follows: Sequence[str]
) -> None:
    """Its transactions are those of its group, in their order."""
    text = statement("post_groups")
    types = ", ".join(rf"\${begins + place}::text::{column.sql} \[\]" for place, column in enumerate(given))
    assert re.search(rf"unnest\({types}\) AS {alias} \({', '.join(names(given))}\)", text)
    into, what = inserted(text, table)
    own = {one.name for one in given}
    assert into == names({"split": SPLIT, "exchange": EXCHANGE}[table])
    assert [name for name in what if name in own] == [name for name in into if name in own]
    assert [name for name in what if name not in own] == follows


def test_groups_are_posted_as_all_else_is() -> None:
    head, _, own = statement("post_groups").partition("), parted AS MATERIALIZED (")
    assert head == statement("post").partition("), batched AS (")[0]
    into, what = inserted(own, "batch")
    assert (into[-2:], what[-2:]) == (["splits", "exchanges"], ["splits)", "exchanges"])
    assert into[:-2] == inserted(statement("post"), "batch")[0]
