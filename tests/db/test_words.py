"""A server that libpq cannot reach: its name, its port and the reason, in one line."""

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.db.starting import words


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u@127.0.0.1:1/x", "127.0.0.1:1: Connection refused"),
        (
            "postgresql://u@127.0.0.1:1,127.0.0.1:2/x",
            "127.0.0.1:2: Connection refused; 127.0.0.1:1: Connection refused",
        ),
        ("postgresql://u@/x?host=/nowhere", "/nowhere/.s.PGSQL.5432: No such file or directory"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_with_the_reason(url: str, said: str) -> None:
    with pytest.raises(psycopg.OperationalError) as away:
        psycopg.connect(url)
    assert words.of(away.value) == said


def test_a_host_that_nobody_knows_is_named_without_a_number() -> None:
    with pytest.raises(psycopg.OperationalError) as away:
        psycopg.connect("postgresql://u@no.such.name.invalid/x")
    assert words.of(away.value).startswith("no.such.name.invalid: ")
    assert "Errno" not in words.of(away.value)


def test_what_a_server_says_stays_as_it_is(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url()) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("SELECT 1 / 0")
    assert words.of(refused.value) == "division by zero"
