"""The embedded PostgreSQL has Koshel's settings at each start, whoever has made its data directory."""

import stat
from pathlib import Path

import psycopg
import pytest

from koshel.db.errors import EmbeddedError
from koshel.db.server import configuration, embedded
from koshel.db.server.embedded import Cluster
from koshel.machine import memory

# What initdb wrote into postgresql.conf before there was a koshel.conf.
OLD = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "on",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose cluster is made and stopped."""
    directory = tmp_path_factory.mktemp("data")
    with embedded.running(directory):
        pass
    return directory


@pytest.fixture
def data_dir(made: Path) -> Path:
    """The same, as an earlier version has left it."""
    main = made / "postgres" / "postgresql.conf"
    initial = main.read_text().partition("\nmax_connections = 100\n")[0]
    lines = [line for line in initial.splitlines() if "koshel.conf" not in line]
    main.write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in OLD.items()), ""]))
    (made / "postgres" / "koshel.conf").unlink()
    (made / "postgres" / "postgresql.auto.conf").write_text("")
    return made


def settings_of(cluster: Cluster) -> dict[str, str]:
    names = [*configuration.SETTINGS, "shared_buffers"]
    with psycopg.connect(cluster.url()) as connection:
        return {name: connection.execute(f"SHOW {name}".encode()).fetchall()[0][0] for name in names}


def alter(cluster: Cluster, what: str) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM {what}".encode())


def in_megabytes(text: str) -> int:
    return int(text[:-2]) * {"MB": 1, "GB": 1_024}[text[-2:]]


def test_a_directory_of_an_earlier_version_gets_the_settings_of_this_one(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        found = settings_of(cluster)
    assert {name: found[name] for name in configuration.SETTINGS} == configuration.SETTINGS
    assert in_megabytes(found["shared_buffers"]) == in_megabytes(configuration.shared_buffers())


def test_a_new_directory_has_them_too(cluster: Cluster) -> None:
    found = settings_of(cluster)
    assert {name: found[name] for name in configuration.SETTINGS} == configuration.SETTINGS
    assert in_megabytes(found["shared_buffers"]) == in_megabytes(configuration.shared_buffers())


def test_what_an_operator_has_set_wins_until_it_is_reset(data_dir: Path) -> None:
    with embedded.running(data_dir) as cluster:
        alter(cluster, "SET max_wal_size = '8GB'")
    with embedded.running(data_dir) as cluster:
        found = settings_of(cluster)
        assert found | configuration.SETTINGS | {"max_wal_size": "8GB"} == found
        alter(cluster, "RESET max_wal_size")
    with embedded.running(data_dir) as cluster:
        assert settings_of(cluster)["max_wal_size"] == configuration.SETTINGS["max_wal_size"]


def test_the_settings_are_written_anew_at_each_start_and_included_once(data_dir: Path) -> None:
    ours, main = data_dir / "postgres" / "koshel.conf", data_dir / "postgres" / "postgresql.conf"
    with embedded.running(data_dir):
        written = main.read_bytes()
    ours.write_text("max_wal_size = '2GB'\n")
    with embedded.running(data_dir) as cluster:
        assert settings_of(cluster)["max_wal_size"] == "4GB"
    assert main.read_bytes() == written
    assert written.count(b"koshel.conf") == 1
    assert written.endswith(b"jit = on\ninclude_if_exists 'koshel.conf'\n")


def test_what_stands_below_the_included_settings_wins(data_dir: Path) -> None:
    with embedded.running(data_dir):
        pass
    with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
        file.write("max_wal_size = '6GB'\n")
    with embedded.running(data_dir) as cluster:
        assert settings_of(cluster)["max_wal_size"] == "6GB"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = 1\n", "a = 1\ninclude_if_exists 'koshel.conf'\n"),
        ("a = 1", "a = 1\ninclude_if_exists 'koshel.conf'\n"),
        ("# include 'koshel.conf'\n", "# include 'koshel.conf'\ninclude_if_exists 'koshel.conf'\n"),
        (
            "include 'other.conf' # koshel.conf\n",
            "include 'other.conf' # koshel.conf\ninclude_if_exists 'koshel.conf'\n",
        ),
        ("include 'koshel.conf'\n", "include 'koshel.conf'\n"),
        ("  Include = 'koshel.conf' # as before\nb = 2", "  Include = 'koshel.conf' # as before\nb = 2"),
    ],
    ids=["plain", "no end of line", "comment", "another file", "there", "spelled otherwise"],
)
def test_the_settings_are_included_if_they_are_not(tmp_path: Path, before: str, after: str) -> None:
    main = tmp_path / "postgresql.conf"
    main.write_text(before)
    main.chmod(0o600)
    for _ in range(2):
        configuration.write(tmp_path)
        assert main.read_text() == after
    assert {path.name for path in tmp_path.iterdir()} == {"postgresql.conf", "koshel.conf"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_directory_without_its_configuration_is_refused_by_name(data_dir: Path) -> None:
    main = data_dir / "postgres" / "postgresql.conf"
    main.rename(data_dir / "kept")
    try:
        with pytest.raises(EmbeddedError, match=r"postgresql\.conf: No such file"), embedded.running(data_dir):
            pass
    finally:
        (data_dir / "kept").rename(main)


@pytest.mark.parametrize(
    ("memory_mb", "buffers"), [(64, "256MB"), (1_024, "256MB"), (4_096, "1024MB"), (65_536, "2048MB")]
)
def test_the_server_takes_a_quarter_of_the_memory_but_not_too_little_and_not_too_much(
    monkeypatch: pytest.MonkeyPatch, memory_mb: int, buffers: str
) -> None:
    monkeypatch.setattr(memory, "available", lambda: memory_mb << 20)
    assert configuration.shared_buffers() == buffers
