"""What an account was at a time whose transactions are archived."""

import pytest

from koshel import Ledger, Refused
from tests.support.archived import archive, fill
from tests.support.database import Database


async def test_what_is_archived_is_refused(database: Database) -> None:
    async with Ledger.open(database.service_url) as ledger:
        ann = await ledger.open_account("ann@example.com")
        early = await ledger.pay(ann.id, amount="5")
        fill(database.owner_url)
        late = await ledger.pay(ann.id, amount="7")
        archive(database.owner_url)
        for asked in (
            ledger.balance(ann.id, at=early.ctime),
            ledger.balance(ann.id, version=1),
            ledger.statement(ann.id, until=late.ctime),
        ):
            with pytest.raises(Refused) as refused:
                await asked
            assert (refused.value.code, refused.value.facts) == ("history-archived", {"account_id": ann.id})
        assert str((await ledger.balance(ann.id, at=late.ctime)).balance) == "12.00"
