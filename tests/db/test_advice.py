"""The start says which settings of a server make busy or large books slower; the embedded server has none of them."""

import pytest

from koshel.db.pools import TimeLimits
from koshel.db.server import configuration
from koshel.db.starting import proof
from koshel.db.starting.advice import advice
from tests.support.database import Database

GOOD = {"wal_compression": "lz4", "max_wal_size": "4096", "checkpoint_timeout": "900", "shared_buffers": "32768"}


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("wal_compression", ["pglz", "on"], ["off", "lz4", "zstd"]),
        ("max_wal_size", ["1024", "4095"], ["4096", "100000"]),
        ("checkpoint_timeout", ["300", "899"], ["900", "3600"]),
        ("shared_buffers", ["16384", "32767"], ["32768", "1000000"]),
    ],
)
def test_each_setting_has_values_that_are_told_of_and_values_that_are_not(
    name: str, bad: list[str], good: list[str]
) -> None:
    assert [advice(GOOD | {name: value}) for value in good] == [[] for _ in good]
    for value in bad:
        (sentence,) = advice(GOOD | {name: value})
        assert sentence.startswith(f"{name} is ")


async def test_of_the_embedded_server_the_start_has_nothing_to_say(database: Database) -> None:
    assert (await proof.inspect(database.service_url, TimeLimits(), ())).advice == []
    assert configuration.SETTINGS["wal_compression"] == "off", "it has pglz only"
