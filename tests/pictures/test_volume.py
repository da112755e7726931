"""A picture of volume has a row of bars for each currency, stacked by kind."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from koshel.core.commands import Kind
from koshel.db.reading.volume import Grouping, Volume
from koshel.pictures.volume import COLORS, CURRENCIES_MAX, NAMES_MAX, Of, drawn
from tests.support.drawn import Drawn

BY_DAY, BY_NAME = Grouping(by_day=True, by_kind=True), Grouping(name_parts=1, by_kind=True)
MONDAY = date(2026, 11, 2)


def volume(
    currency: str, kind: Kind | None, total: str, day: date | None = None, name: str | None = None, count: int = 1
) -> Volume:
    return Volume(
        name_prefix=name,
        currency=currency,
        kind=kind,
        day=day,
        transactions=count,
        total=Decimal(total),
        total_in=None,
        total_out=None,
    )


def picture(*volumes: Volume, by: Grouping = BY_DAY, since: datetime | None = None) -> Drawn:
    return Drawn.of(drawn(Of("main", since, None, by), volumes))


def bars(shown: Drawn) -> list[str]:
    return [one for one in shown.ids if one.count(".") == 2]


def test_each_currency_has_its_bars_stacked_by_kind() -> None:
    shown = picture(
        volume("EUR", Kind.TRANSFER, "7", MONDAY),
        volume("USD", Kind.PAYMENT, "10", MONDAY, count=3),
        volume("USD", Kind.WITHDRAWAL, "30", MONDAY),
        volume("USD", Kind.PAYMENT, "20", MONDAY + timedelta(days=3)),
    )
    assert shown.text("title") == "Volume of the ledger main"
    assert shown.text("facts") == "from 2026-11-02 to 2026-11-05 (UTC) · a bar is a day"
    assert bars(shown) == [
        "USD.payment.20261102",
        "USD.withdrawal.20261102",
        "USD.payment.20261105",
        "EUR.transfer.20261102",
    ]
    below, above, later = (shown.points(one) for one in bars(shown)[:3])
    assert min(y for _, y in below) == max(y for _, y in above), "one stands on the other"
    assert height(above) / height(below) == pytest.approx(3, rel=1e-3)
    assert height(later) / height(below) == pytest.approx(2, rel=1e-3)
    assert {"payment", "transfer", "withdrawal", "USD", "EUR", "time (UTC)"} <= {*shown.texts}
    assert "refund" not in shown.texts


def height(corners: list[tuple[float, float]]) -> float:
    ys = [y for _, y in corners]
    return max(ys) - min(ys)


def test_days_that_are_many_are_weeks() -> None:
    days = [volume("USD", Kind.PAYMENT, "1", MONDAY + timedelta(days=n)) for n in range(200)]
    shown = picture(*days)
    assert shown.text("facts").endswith("a bar is a week")
    assert len(bars(shown)) == 29


def test_names_have_a_bar_each_the_greatest_above() -> None:
    names = [volume("USD", Kind.TRANSFER, str(n), name=f"users:{n}") for n in range(1, NAMES_MAX + 5)]
    shown = picture(*names, volume("USD", Kind.PAYMENT, "1000"), volume("USD", Kind.REFUND, "1", name="z"), by=BY_NAME)
    assert shown.text("facts") == (
        "from the beginning until now (UTC) · what moves between two names is in the bars of both"
    )
    assert bars(shown)[:2] == ["USD.payment.without-a-name", f"USD.transfer.users:{NAMES_MAX + 4}"]
    assert len(bars(shown)) == NAMES_MAX
    assert f"the {NAMES_MAX} greatest of {NAMES_MAX + 6}" in shown.texts
    assert "refund" not in shown.texts, "which no bar has"


def test_names_are_in_the_order_of_their_volume_to_the_last_digit() -> None:
    most = "999999999999999999.99999999999999999"
    totals = {"a": f"{most}1", "b": f"{most}3", "c": f"{most}2", "d": f"{most}2"}
    shown = picture(*(volume("ETH", Kind.TRANSFER, total, name=name) for name, total in totals.items()), by=BY_NAME)
    assert bars(shown) == [f"ETH.transfer.{name}" for name in "bcda"]


def test_what_is_not_by_kind_is_of_all_kinds() -> None:
    shown = picture(volume("USD", None, "5", MONDAY), by=Grouping(by_day=True))
    assert bars(shown) == ["USD.all.20261102"]
    assert "all kinds" in shown.texts


def test_where_nothing_has_moved_it_says_so() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    shown = picture(since=since)
    assert shown.text("facts") == "from 2026-01-01 00:00 until now (UTC) · nothing has moved"
    assert bars(shown) == []


def test_currencies_that_have_no_room_are_told() -> None:
    codes = [f"C{n:02}" for n in range(CURRENCIES_MAX + 2)]
    shown = picture(*(volume(code, Kind.PAYMENT, "1", MONDAY, count=100 - n) for n, code in enumerate(codes)))
    assert shown.text("facts").endswith("2 more currencies are not shown")
    assert [one.split(".")[0] for one in bars(shown)] == codes[:CURRENCIES_MAX]


def test_each_kind_that_moves_money_has_its_color() -> None:
    assert {*COLORS} == {*Kind, None} - {Kind.HOLD, Kind.VOID, Kind.EXPIRY}
    assert len({COLORS[kind] for kind in COLORS if kind}) == len(COLORS) - 1
