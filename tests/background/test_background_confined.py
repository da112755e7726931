"""The background works where PostgreSQL confines the service, too: tests of others, over such a database."""

from collections.abc import Iterator

import pytest

from koshel.db.server.embedded import Cluster
from tests.background import test_background as background
from tests.background import test_background_accidents as accidents
from tests.background import test_background_blocked as blocked
from tests.support.confined import confined
from tests.support.database import Database

test_what_was_queued_is_posted = background.test_what_was_queued_is_posted
test_a_hold_whose_time_is_up_is_released = background.test_a_hold_whose_time_is_up_is_released
test_each_ledger_has_its_turn = background.test_each_ledger_has_its_turn
test_a_poisonous_transaction_is_put_off = accidents.test_a_poisonous_transaction_is_put_off_and_the_others_are_posted
test_more_that_wait_than_a_claim_holds = blocked.test_more_that_wait_than_a_claim_holds_are_in_nobodys_way
store = blocked.store


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A database with row-level security."""
    with confined(cluster, "test_background_confined") as database:
        yield database
