"""One URL, two drivers: what it says reaches both, or is refused by its name, and no secret is ever shown."""

from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from koshel.db.errors import Unfit
from koshel.db.pools import TimeLimits, connect
from koshel.db.server.embedded import Cluster
from koshel.db.starting.migrate import migrate
from koshel.db.url import parse
from tests.support.database import Database

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    for option in psycopg.pq.Conninfo.get_defaults():
        if option.envvar:
            monkeypatch.delenv(option.envvar.decode(), raising=False)


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("postgresql://ann@db/wallet", {"host": ["db"], "user": "ann", "database": "wallet"}),
        ("postgres://ann@db:6543/wallet", {"host": ["db"], "port": [6543]}),
        ("postgresql://ann:p%40%3A%2F%25@db/wallet", {"password": "p@:/%"}),
        ("postgresql://ann:p?:#@db/wallet", {"password": "p?:#", "database": "wallet"}),
        ("postgresql://ann@db/wal%20let", {"database": "wal let"}),
        ("postgresql://ann@[::1]:7/wallet", {"host": ["::1"], "port": [7]}),
        ("postgresql://ann@/wallet?host=/run/pg", {"host": ["/run/pg"]}),
        ("postgresql://ann@%2Frun%2Fpg:7/wallet", {"host": ["/run/pg"], "port": [7]}),
        ("postgresql://ann@a:1,b,[::1]:3/wallet", {"host": ["a", "b", "::1"], "port": [1, 5432, 3]}),
        ("postgresql://ann@a,b/wallet?port=7", {"host": ["a", "b"], "port": [7, 7]}),
        ("postgresql://ann@a/w?target_session_attrs=read-write", {"target_session_attrs": "read-write"}),
        ("postgresql://ann@db/w?passfile=secrets", {"passfile": "secrets"}),
        ("postgresql://ann@/w?hostaddr=127.0.0.1", {"host": ["127.0.0.1"]}),
        ("postgresql:///w?user=ann&host=db&password=x", {"user": "ann", "host": ["db"], "password": "x"}),
        ("postgresql://ann@db/w?sslmode=require&krbsrvname=k", {"dsn": "postgresql://?sslmode=require&krbsrvname=k"}),
        ("postgresql://ann@db/w?sslrootcert=system", {"ssl": True, "dsn": None}),
        ("postgresql://ann@db/w?options=-c%20a.b%3Dc", {"server_settings": {"options": "-c a.b=c"}}),
    ],
)
def test_what_both_drivers_know_reaches_both(url: str, arguments: dict[str, Any]) -> None:
    target = parse(url)
    assert {name: target.arguments[name] for name in arguments} == arguments
    assert target.dropped == ()


@pytest.mark.parametrize(("given", "seconds"), [("", None), ("?connect_timeout=7", 7), ("?connect_timeout=0", None)])
def test_a_time_to_connect_goes_before_the_setting(given: str, seconds: float | None) -> None:
    assert parse(f"postgresql://ann@db/w{given}").connect_timeout_s == seconds


@pytest.mark.parametrize(
    "given",
    [
        "keepalives=1",
        "keepalives_idle=5",
        "keepalives_interval=5",
        "keepalives_count=5",
        "tcp_user_timeout=5",
        "sslcompression=1",
        "sslsni=0",
        "load_balance_hosts=random",
        "client_encoding=LATIN1",
        "fallback_application_name=x",
        "channel_binding=prefer",
        "channel_binding=disable",
        "gssencmode=prefer",
    ],
)
def test_what_harms_nobody_is_dropped_and_named(given: str) -> None:
    assert parse(f"postgresql://ann@db/w?{given}").dropped == (given.partition("=")[0],)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("channel_binding=require", "channel_binding=require"),
        ("gssencmode=require", "gssencmode=require"),
        ("sslcertmode=require", "sslcertmode=require"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("requirepeer=postgres", "requirepeer"),
        ("sslcrldir=/certs", "sslcrldir"),
        ("replication=true", "replication"),
        ("sslrootcert=/nowhere.crt", "sslrootcert"),
        ("sslrootcert=system&sslmode=require", "sslrootcert=system"),
        ("hostaddr=127.0.0.1&sslmode=verify-full", "hostaddr"),
        ("statement_timeout=5", "statement_timeout"),
        ("search_path=mine", "search_path"),
        ("port=seven", "port"),
        ("connect_timeout=soon", "connect_timeout"),
    ],
)
def test_what_the_service_could_not_honour_is_refused_by_name(given: str, named: str) -> None:
    with pytest.raises(Unfit, match=named) as refused:
        parse(f"postgresql://ann:{SECRET}@db/w?{given}")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@x@db/w",
        f"postgresql://ann:x/{SECRET}@db/w",
        f"postgresql://ann:{SECRET}%zz@db/w",
        f"postgresql://ann:{SECRET}@[::1/w",
        f"postgresql://ann:{SECRET}@db:port/w",
        f"postgresql://ann:{SECRET}@db/w?what=ever",
        f"postgresql://ann@db/w?password={SECRET}&what=ever",
        f"postgresql://ann@db/w?password={SECRET}&sslpassword={SECRET}&replication=true",
    ],
)
def test_no_secret_is_shown_of_a_url_that_cannot_be_read(url: str) -> None:
    with pytest.raises(Unfit) as refused:
        parse(url)
    assert SECRET not in f"{refused.value!s}{refused.value.__cause__}"
    assert "\n" not in str(refused.value)


def test_the_variables_say_what_the_url_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "other", "USER": "bob", "PASSWORD": SECRET, "CONNECT_TIMEOUT": "4"}.items():
        monkeypatch.setenv(f"PG{name}", value)
    target = parse("postgresql://ann@db/w")
    assert (target.arguments["host"], target.arguments["user"]) == (["db"], "ann")
    assert (target.arguments["password"], target.connect_timeout_s) == (SECRET, 4)
    monkeypatch.setenv("PGCHANNELBINDING", "require")
    with pytest.raises(Unfit, match="channel_binding=require"):
        parse("postgresql://ann@db/w")


def test_a_service_file_is_read_by_both(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "services").write_text(f"[wallet]\nhost={cluster.sockets}\ndbname=postgres\nuser=koshel\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")  # the file goes before it
    monkeypatch.setenv("PGAPPNAME", "wallet")
    by_url = parse("postgresql://?service=wallet")
    assert by_url.arguments["host"] == [str(cluster.sockets)]
    assert (by_url.arguments["user"], by_url.arguments["dsn"]) == ("koshel", None)
    assert (by_url.application_name, by_url.dropped) == ("wallet", ())
    monkeypatch.setenv("PGSERVICE", "wallet")
    assert parse("postgresql://") == by_url
    assert parse("postgresql://bob@/?service=wallet").arguments["user"] == "bob"


@pytest.mark.parametrize("where", ["no file", "no section", "a file that cannot be read"])
def test_a_service_that_is_in_no_file_is_refused_rather_than_another_database_taken(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    if where != "no file":
        file.write_text("[mine]\nhost=db\n" if where == "no section" else "[mien]\nwhat\n")
    with pytest.raises(Unfit, match="service"):
        parse("postgresql://ann@/?service=mien")
    monkeypatch.setenv("PGSERVICE", "mien")
    with pytest.raises(Unfit, match="service"):
        parse("postgresql://ann@/")


@pytest.mark.parametrize("said", ["channel_binding=require", "sslmode=perhaps", "port=70000"])
def test_what_a_service_says_is_checked_like_the_url(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").write_text(f"[wallet]\nhost=192.0.2.1\nuser=ann\npassword={SECRET}\n{said}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with pytest.raises(Unfit, match=said.partition("=")[0]) as refused:
        parse("postgresql://?service=wallet")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("url", ["postgresql://u%ff@h/db", "postgresql://u@h/\udcff"])
def test_a_url_that_is_not_in_utf_8_is_refused(url: str) -> None:
    with pytest.raises(Unfit, match="not UTF-8"):
        parse(url)


def test_a_variable_that_is_not_in_utf_8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "\udcff")
    with pytest.raises(Unfit, match="not UTF-8"):
        parse("postgresql://ann@db/w")


@pytest.mark.parametrize("port", ["0", "65536", "99999999", "-1"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_port_that_there_is_not_is_refused_rather_than_waited_for(port: str, *, alone: bool) -> None:
    for url in (
        f"postgresql://ann@db/w?port={port}",
        f"postgresql://ann@db:{port}/w",
        f"postgresql://ann@a:1,b:{port}/w",
    ):
        with pytest.raises(Unfit, match="port"):
            parse(url, alone=alone)


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
@pytest.mark.parametrize("alone", [True, False])
def test_a_host_that_can_have_no_name_is_refused_rather_than_waited_for(host: str, *, alone: bool) -> None:
    with pytest.raises(Unfit, match="can be no host's name"):
        parse(f"postgresql://ann@{host}/w", alone=alone)


async def _by_the_service(url: str) -> Any:
    connection: asyncpg.Connection[asyncpg.Record] = await connect(parse(url), TimeLimits(), "test")
    try:
        return await connection.fetchval("SELECT current_database()")
    finally:
        await connection.close()


def _by_psycopg(url: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    "form",
    [
        "postgresql://{role}@/{name}?host={sockets}",
        "postgresql://{role}@{quoted}/{name}",
        "postgresql://{role}@127.0.0.1:1,{quoted}/{name}",
        "postgresql://{role}@/{name}?host=127.0.0.1,{sockets}&port=1,5432&target_session_attrs=read-write",
        "postgresql:///{name}?user={role}&host={sockets}&connect_timeout=9&keepalives_idle=9&channel_binding=prefer",
        "postgresql://{role}@/{name}?host={sockets}&options=-c%20search_path%3Dpublic&application_name=wallet",
    ],
)
async def test_both_drivers_get_to_the_same_place(database: Database, form: str) -> None:
    said = psycopg.conninfo.conninfo_to_dict(database.owner_url)
    sockets, name = str(said["host"]), said["dbname"]
    url = form.format(role=said["user"], sockets=sockets, quoted=sockets.replace("/", "%2F"), name=name)
    assert await _by_the_service(url) == _by_psycopg(url) == name
    assert migrate(url, service_role="koshel_service") == []
