"""How much has moved in a ledger, asked by a program."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from koshel import Invalid, Kind, Ledger, Misuse, Refused
from koshel.db.reading import volume
from tests.support.database import Database


async def test_it_is_what_has_moved(ledger: Ledger, ann: int, bob: int) -> None:
    await ledger.transfer(source=ann, target=bob, amount="40")
    await ledger.hold(source=ann, target=bob, amount="5")
    paid, moved = await ledger.volume(["kind", "day"])
    assert (paid.kind, paid.currency, paid.transactions, paid.total) == (Kind.PAYMENT, "USD", 1, Decimal(100))
    assert (moved.kind, moved.total, moved.total_in) == (Kind.TRANSFER, Decimal(40), None)
    (everything,) = await ledger.volume()
    assert (everything.kind, everything.day, everything.transactions) == (None, None, 2)
    assert await ledger.volume(until=datetime.now(UTC) - timedelta(days=1)) == []
    assert await ledger.volume(("currency",), since="2026-01-01T00:00:00Z") == [everything]


@pytest.mark.parametrize(
    ("group_by", "times", "field"),
    [
        (["weather"], {}, "group_by"),
        (["kind", "kind"], {}, "group_by"),
        (["name_prefix:0"], {}, "group_by"),
        (["name_prefix:-1"], {}, "group_by"),
        (["name_prefix:1000"], {}, "group_by"),
        (["name_prefix:1", "name_prefix:2"], {}, "group_by"),
        ("kind", {}, "group_by"),
        ([1], {}, "group_by"),
        ([], {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ([], {"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001  which it is
        ([], {"until": "10000-01-01T00:00:00Z"}, "until"),
    ],
)
async def test_what_can_never_be_asked_is_invalid(ledger: Ledger, group_by: Any, times: Any, field: str) -> None:
    with pytest.raises(Invalid) as invalid:
        await ledger.volume(group_by, **times)
    assert invalid.value.field == field


async def test_more_than_may_be_read_is_refused(ledger: Ledger, ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    second = await ledger.withdraw(ann, amount="1")
    monkeypatch.setattr(volume, "TRANSACTIONS_MAX", 1)
    with pytest.raises(Refused) as refused:
        await ledger.volume()
    assert refused.value.code == "volume-too-large"
    (fits,) = await ledger.volume(until=str(refused.value.facts["fits_until"]))
    assert fits.total == Decimal(100)
    assert [one.total for one in await ledger.volume(since=second.ctime)] == [Decimal(1)]


async def test_a_ledger_has_nothing_of_what_moved_in_another(ledger: Ledger, ann: int, database: Database) -> None:
    await ledger.pay(ann, amount="7")
    assert await Ledger.create(database.owner_url, "shop")
    async with Ledger.open(database.service_url, ledger="shop") as shop:
        assert await shop.volume(["name_prefix:1", "kind", "day"]) == []
        cat = await shop.open_account("cat@example.com")
        await shop.pay(cat.id, amount="3")
        assert totals(await shop.volume()) == [Decimal(3)]
    assert totals(await ledger.volume()) == [Decimal(107)]
    with pytest.raises(Misuse, match="closed"):
        await shop.volume()


async def test_in_the_callers_own_transaction_its_own_money_is_seen(
    ledger: Ledger, ann: int, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with connection.transaction():
        within = ledger.within(connection)
        await within.pay(ann, amount="1")
        assert totals(await within.volume()) == [Decimal(101)]
    assert totals(await ledger.volume()) == [Decimal(101)]


def totals(found: Sequence[volume.Volume]) -> list[Decimal]:
    return [one.total for one in found]
