"""What the large bench asks of a reader's service is answered, each kind of it."""

from pathlib import Path

from bench.large_books import Size, fill
from bench.large_reads import looks
from bench.servers import koshel
from tests.support.database import Database


def test_each_kind_of_request_is_answered(database: Database, tmp_path: Path) -> None:
    size = Size(1_000, 5_000)
    fill(database.owner_url, size)
    with koshel(database.owner_url, 1, tmp_path) as server:
        found = looks(server.port, size, 1)
    names = [look.name for look in found]
    assert len(set(names)) == len(names)
    assert {look.compared_with for look in found} - {""} <= set(names)
    for kind in ("filter: ", "by value date", "changes of an account", "page 1 of accounts"):
        assert any(kind in name for name in names), kind
