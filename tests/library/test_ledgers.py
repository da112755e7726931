"""The library opens any ledger, and makes them; none sees what another one has."""

import pytest

from koshel import Ledger, Misuse, Refused, Unavailable
from koshel.inputs.values import Invalid
from tests.support.database import Database


async def test_a_ledger_is_made_once(database: Database) -> None:
    assert await Ledger.create(database.service_url, "shop")
    assert not await Ledger.create(database.service_url, "shop")
    assert not await Ledger.create(database.service_url, "main")


async def test_each_ledger_has_its_own_accounts_and_transactions(database: Database) -> None:
    await Ledger.create(database.service_url, "shop")
    async with Ledger.open(database.service_url, ledger="shop") as shop, Ledger.open(database.service_url) as main:
        ann, bob = await shop.open_account("ann@example.com"), await main.open_account("bob@example.com")
        paid = await shop.pay(ann.id, amount="10", key="one")
        assert await main.account(ann.id) is None
        assert await main.transaction(paid.id) is None
        assert await shop.account(bob.id) is None
        with pytest.raises(Refused, match="account-not-found"):
            await shop.transfer(source=ann.id, target=bob.id, amount="1")
        with pytest.raises(Refused, match="transaction-not-found"):
            await main.refund(paid.id)
        again = await main.pay(bob.id, amount="20", key="one")
        assert again.id != paid.id, "a key is its ledger's own"
        assert (await shop.rehearsal().pay(ann.id, amount="1")).target_account_id == ann.id


async def test_a_ledger_that_is_not_there_is_said(database: Database) -> None:
    with pytest.raises(Misuse, match="koshel ledger create"):
        async with Ledger.open(database.service_url, ledger="shop"):
            pass


@pytest.mark.parametrize("name", ["", "Shop", "a b", "x" * 65, "shop\n"])
async def test_a_name_that_cannot_be_one_is_invalid(database: Database, name: str) -> None:
    with pytest.raises(Invalid, match="ledger must be 1 to 64 characters"):
        await Ledger.create(database.service_url, name)


async def test_a_database_that_is_away_or_none_is_said() -> None:
    with pytest.raises(Unavailable):
        await Ledger.create("postgresql://nobody@127.0.0.1:1/nothing", "shop")
    with pytest.raises(Misuse):
        await Ledger.create("nonsense", "shop")
