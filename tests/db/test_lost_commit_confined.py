"""A lost commit is settled where PostgreSQL confines the service, too: tests of others, over such a database."""

from collections.abc import Iterator

import pytest

from koshel.db.server.embedded import Cluster
from tests.db import test_lost_commit as lost
from tests.support.confined import confined
from tests.support.database import Database

test_a_transfer_whose_reply_was_lost_is_not_made_again = lost.test_a_transfer_whose_reply_was_lost_is_not_made_again
test_a_transfer_whose_commit_was_lost_never_happens = (
    lost.test_a_transfer_whose_commit_was_lost_has_not_happened_and_never_will
)
test_the_fence_waits_for_a_commit_that_is_under_way = lost.test_the_fence_waits_for_a_commit_that_is_still_under_way
relay, behind, impatient = lost.relay, lost.behind, lost.impatient


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A database with row-level security."""
    with confined(cluster, "test_lost_commit_confined") as database:
        yield database
