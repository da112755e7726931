"""Proof of exchanges: two transfers belong together, and the second is what the first comes to at the rate."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from koshel.core.model import Grouped, Posted
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.exchanges import exchange
from tests.support.settled import open_accounts, opening
from tests.support.wallets import payment

WRONG: Mapping[str, tuple[str, str]] = {
    "another rate": (
        "UPDATE exchange SET rate = 0.92",
        "gave 9.14 for 10.00, which is 9.20 at 0.92",
    ),
    "a transaction that is none": (
        "UPDATE exchange SET target_transaction_id = 999",
        "names transaction 999, which does not exist",
    ),
    "two that are no pair": (
        "UPDATE exchange SET source_transaction_id = 1",
        "is not one transfer into an exchange account and one out of another, in one group and with the same labels",
    ),
    "another group": (
        "UPDATE transaction SET group_id = NULL WHERE id = (SELECT max(id) FROM transaction)",
        "is not one transfer into an exchange account and one out of another, in one group and with the same labels",
    ),
    "one that is missing": (
        "DELETE FROM exchange",
        "has made 1 exchanges, of which 0 are kept",
    ),
    "one too many": (
        "INSERT INTO exchange SELECT ledger_id, target_transaction_id, 999, rate FROM exchange",
        "has made 1 exchanges, of which 2 are kept",
    ),
    "another name": (
        "UPDATE account SET name = 'other' WHERE name = 'exchange:EUR'",
        "is not one transfer into an exchange account and one out of another, in one group and with the same labels",
    ),
}


@pytest.fixture
async def exchanged(store: Store) -> tuple[int, int]:
    """The two transactions of an exchange of 10.00 USD for 9.14 EUR."""
    dollars, euros = await open_accounts(store, opening(), opening("EUR"))
    await settle(store, [payment(dollars, "10")])
    (outcome,) = await settle(store, [exchange(dollars, euros, "10", rate="0.91370", accounts=())])
    assert isinstance(outcome, Grouped)
    source, target = (one.id for one in outcome.outcomes if isinstance(one, Posted))
    return source, target


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_an_exchange_is_said(
    database: Database, exchanged: tuple[int, int], change: str, said: str
) -> None:
    assert verify(database.owner_url) == []
    execute(database.owner_url, change)
    found = verify(database.owner_url)
    if said.startswith("has made"):
        assert [one for one in found if one.startswith("ledger 1: batch ") and one.endswith(said)]
        return
    (sentence,) = (one for one in found if one.startswith("ledger 1: the exchange of"))
    assert sentence.endswith(said)
    assert str(exchanged[1]) in sentence or "target_transaction_id" in change


# Rates at which one dollar comes to the middle between two amounts of yen or of euros, or close to it.
RATES = ["0.125", "0.135", "0.1250000000000000000000000001", "0.9", "1.5", "2.5", "2.4999999999999999999", "1.005"]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
async def test_the_database_rounds_as_the_core_does(store: Store, database: Database, currency: str) -> None:
    dollars, target = await open_accounts(store, opening(), replace(opening(currency), max_balance=None))
    await settle(store, [payment(dollars, "100")])
    outcomes = await settle(store, [exchange(dollars, target, "1", rate=rate, accounts=()) for rate in RATES])
    assert sum(isinstance(one, Grouped) for one in outcomes) >= len(RATES) // 2
    assert verify(database.owner_url) == []
