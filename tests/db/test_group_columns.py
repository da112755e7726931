"""Splits and exchanges are recorded after their transactions, with every column, and the batch counts them."""

from decimal import Decimal

from msgspec.structs import replace

from koshel.core.commands import Kind, Split
from koshel.core.decide import decide
from koshel.core.exchanging import Exchange
from koshel.core.legs import LeftOut
from koshel.core.model import Grouped, Posted
from koshel.db.mapping import exchange_columns, split_columns
from koshel.db.mapping.tables import EXCHANGE, SPLIT
from tests.db.test_tables import inserted, names, statement
from tests.support.wallets import account, book, postings, transfer

BOOK = book(account(1, "100"), account(2, "0"))
NOTHING = LeftOut(1, 2, Decimal("0.00"), "USD")


def legs(*ids: int) -> list[Posted]:
    posted = postings(decide(BOOK, [transfer(1, 2, "1.5") for _ in ids]))
    return [replace(one, id=id_) for one, id_ in zip(posted, ids, strict=True)]


def test_a_split_is_recorded_with_its_amount_and_the_ids_of_its_transactions_in_order() -> None:
    first = Grouped(Split(1, Kind.TRANSFER, Decimal("3.004")), [NOTHING, *legs(12, 11)], 7)
    second = Grouped(Split(2, Kind.TRANSFER, Decimal("1.5")), [*legs(13)], 8)
    assert split_columns.splits([first, second]) == ["{1,2}", "{7,8}", "{3.00,1.50}", '{"{12,11}","{13}"}']


def test_an_exchange_is_recorded_with_its_two_transactions_and_the_rate_that_was_given() -> None:
    with_rate = Grouped(Exchange(1, 1, 2, Decimal("1.5"), rate=Decimal("0.910")), [*legs(11, 12)], 7)
    without = Grouped(Exchange(1, 1, 2, Decimal("1.5"), Decimal("1.4")), [*legs(13, 14)], 8)
    assert exchange_columns.exchanges([with_rate, without]) == ["{1,1}", "{11,13}", "{12,14}", "{0.910,NULL}"]


def test_each_is_kept_with_every_column() -> None:
    assert inserted(statement("record_splits"), "split") == (
        names(SPLIT),
        [*names(SPLIT)[:-1], "transaction_ids::bigint []"],
    )
    assert inserted(statement("record_exchanges"), "exchange") == (names(EXCHANGE), names(EXCHANGE))


def test_a_batch_counts_them_in_both_statements() -> None:
    for name in ("post", "post_plain"):
        into, what = inserted(statement(name), "batch")
        assert into[-2:] == ["splits", "exchanges"]
        assert [*map(str.strip, what[-2:])] == ["sum(splits)", "sum(exchanges)"]
