"""Where the database is: the one that was named, or else the embedded one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel.db import queries
from koshel.db.errors import EmbeddedError
from koshel.db.url import Target, parse

if TYPE_CHECKING:
    from koshel.db.server.embedded import Cluster


class Database(Struct, frozen=True):
    """One database: as its owner, who migrates, and as the service, which may do less."""

    owner_url: str
    service_url: str
    service_role: str | None
    target: Target  # the service's URL, read
    cluster: "Cluster | None" = None  # if it is ours


@contextmanager
def database(
    url: str | None, data_dir: str, service_role: str | None, *, make: bool = True, alone: bool = False
) -> Iterator[Database]:
    """The database for as long as it is needed; an embedded one is made only if told so.

    `alone`: no PG* variable says more than a URL that is given. Raises Unfit, for one that says too much, or
    EmbeddedError.
    """
    if url is not None:
        yield Database(url, url, service_role, parse(url, alone=alone))
        return
    from koshel.db.server import embedded  # noqa: PLC0415  a service that was told its database has no use for these

    if service_role not in {None, embedded.SERVICE}:
        raise EmbeddedError(
            f"the embedded database has its own role for the service, {embedded.SERVICE}; name no other"
        )
    if not make and not embedded.exists(Path(data_dir)):
        raise EmbeddedError(
            f"there is no database: KOSHEL_DATABASE_URL is not set, and there is no embedded one in {data_dir}; "
            "say where it is by KOSHEL_DATABASE_URL or KOSHEL_DATA_DIR, or make one with `koshel serve`"
        )
    import psycopg  # noqa: PLC0415

    with embedded.running(Path(data_dir)) as cluster:
        owner_url = cluster.url()
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(queries.load().create_service_role)
        service_url = cluster.url(embedded.SERVICE)
        yield Database(owner_url, service_url, embedded.SERVICE, parse(service_url), cluster)
