"""How much has moved: against plain Python, and within what may be read and answered at once."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.core.commands import Kind
from koshel.db import queries
from koshel.db.reading import volume
from koshel.db.reading.volume import Grouping, TooMuch, Volume
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.moved import ACCOUNTS, DECIMALS, MOVING, NOON, SIDES, Books, Moved


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Books]:
    with cloned(cluster, "test_volume") as database:
        books = Books(database.owner_url)
        yield books
        books.close()


@st.composite
def moves(draw: st.DrawFn) -> Moved:
    kind = draw(st.sampled_from(list(Kind)))
    has_source, has_target = draw(st.sampled_from(SIDES[kind]))
    currency = draw(st.sampled_from(["USD", "JPY"]))
    ids = draw(st.permutations([id_ for id_, (_, of) in ACCOUNTS.items() if of == currency]))
    amount = Decimal(draw(st.integers(1, 10**17))).scaleb(-DECIMALS[currency])
    ctime = NOON + timedelta(
        microseconds=draw(st.sampled_from([0, 1, 43_200_000_000, -43_200_000_001, 86_400_000_000]))
    )
    ledger_id = draw(st.sampled_from([1, 1, 1, 2]))
    return Moved(kind, ids[0] if has_source else None, ids[1] if has_target else None, amount, ctime, ledger_id)


def prefix_of(account_id: int, parts: int) -> str | None:
    name = ACCOUNTS[account_id][0]
    return None if name is None or parts == 0 else ":".join(name.split(":")[:parts])


def expected(moved: Sequence[Moved], by: Grouping, since: datetime, until: datetime) -> list[Volume]:
    """The same question in plain Python."""
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for one in moved:
        if one.ledger_id != 1 or one.kind not in MOVING or not since <= one.ctime < until:
            continue
        sides = [None if id_ is None else (prefix_of(id_, by.name_parts),) for id_ in (one.source, one.target)]
        currency = ACCOUNTS[one.source or one.target or 0][1]
        zero = one.amount - one.amount
        for side in {*sides} - {None}:
            assert side is not None
            group = (side[0], currency, one.kind if by.by_kind else None, one.ctime.date() if by.by_day else None)
            found = sums.setdefault(group, [0, zero, zero, zero])
            out, into = (one.amount if side == each else zero for each in sides)
            found[:] = [found[0] + 1, found[1] + one.amount, found[2] + into, found[3] + out]
    return [
        Volume(
            name_prefix=prefix,
            currency=currency,
            kind=kind,
            day=day,
            transactions=count,
            total=total,
            total_in=into if by.name_parts else None,
            total_out=out if by.name_parts else None,
        )
        for (prefix, currency, kind, day), (count, total, into, out) in sorted(
            sums.items(),
            key=lambda one: (one[0][0] is None, one[0][0] or "", one[0][1], one[0][2] or "", str(one[0][3])),
        )
    ]


@settings(max_examples=60, deadline=None)
@given(
    moved=st.lists(moves(), max_size=25),
    by=st.builds(Grouping, st.sampled_from([0, 1, 2, 3, 99]), st.booleans(), st.booleans()),
    since=st.none() | st.sampled_from([NOON, NOON + timedelta(microseconds=1)]),
    until=st.none() | st.sampled_from([NOON, NOON + timedelta(days=1)]),
)
def test_the_sums_are_those_of_plain_python(
    books: Books, moved: Sequence[Moved], by: Grouping, since: datetime | None, until: datetime | None
) -> None:
    found = books.volume(moved, by, since, until)
    first, last = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    wanted = expected(moved, by, since or first, until or last)
    assert found == wanted
    assert str(found) == str(wanted), "with the decimals of the currency"


def test_within_a_prefix_it_counts_once_and_is_in_both_sums(books: Books) -> None:
    moved = [
        Moved(Kind.PAYMENT, None, 1, Decimal("100.00"), NOON),
        Moved(Kind.TRANSFER, 1, 2, Decimal("10.00"), NOON),
        Moved(Kind.TRANSFER, 2, 3, Decimal("4.00"), NOON),
    ]
    first, second = books.volume(moved, Grouping(name_parts=2))
    assert (first.name_prefix, first.transactions, first.total) == ("users:1", 3, Decimal("114.00"))
    assert (first.total_in, first.total_out) == (Decimal("110.00"), Decimal("14.00"))
    assert (second.name_prefix, second.transactions, second.total_in) == ("users:2", 1, Decimal("4.00"))
    assert str(second.total_out) == "0.00"


def test_a_day_is_that_of_utc_wherever_the_connection_is(books: Books) -> None:
    late = Moved(Kind.PAYMENT, None, 1, Decimal(1), datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC))
    books.run(books.connection.execute("SET timezone = 'Asia/Tokyo'"))
    try:
        (found,) = books.volume([late], Grouping(by_day=True))
    finally:
        books.run(books.connection.execute("SET timezone = 'UTC'"))
    assert found.day == date(2026, 3, 1)


def test_more_than_may_be_read_is_refused_with_the_time_until_which_it_fits(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume, "TRANSACTIONS_MAX", 3)
    sides = {Kind.TRANSFER: (1, 2), Kind.PAYMENT: (None, 1), Kind.CAPTURE: (2, 1), Kind.WITHDRAWAL: (1, None)}
    moved = [
        Moved(kind, *sides[kind], Decimal(1), NOON + timedelta(hours=n))
        for n, kind in enumerate([*sides, Kind.PAYMENT])
    ]
    holds = [Moved(Kind.HOLD, 1, 2, Decimal(1), NOON) for _ in range(5)]
    (enough,) = books.volume(moved[:3] + holds)
    assert enough.transactions == 3
    for since, fits_until in ((None, moved[3].ctime), (moved[1].ctime, moved[4].ctime)):
        with pytest.raises(TooMuch) as refused:
            books.volume(moved, since=since)
        assert (refused.value.what, refused.value.fits_until) == ("transactions", fits_until)
        (fits,) = books.volume(moved, since=since, until=fits_until)
        assert fits.transactions == 3


def test_where_no_time_fits_none_is_named(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "TRANSACTIONS_MAX", 3)
    with pytest.raises(TooMuch) as refused:
        books.volume(4 * [Moved(Kind.PAYMENT, None, 1, Decimal(1), NOON)], since=NOON)
    assert (refused.value.what, refused.value.fits_until) == ("transactions", None)


def test_more_sums_than_are_answered_are_refused(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "VOLUMES_MAX", 2)
    moved = [Moved(Kind.PAYMENT, None, 1, Decimal(1), NOON + timedelta(days=n)) for n in range(3)]
    assert len(books.volume(moved[:2], Grouping(by_day=True))) == 2
    with pytest.raises(TooMuch) as refused:
        books.volume(moved, Grouping(by_day=True))
    assert (refused.value.what, refused.value.fits_until) == ("volumes", None)


def test_there_is_a_branch_for_each_kind_that_moves_money() -> None:
    text = queries.load().sum_volume
    assert SIDES.keys() == set(Kind)
    assert [kind for kind in Kind if f"t.kind = '{kind.value}'" in text] == MOVING
