"""Running PostgreSQL's programs: past closed directories, and without the caller's environment."""

import stat
from pathlib import Path

import psycopg
import pytest

from koshel.db.errors import EmbeddedError
from koshel.db.server import embedded, programs


def _modes(path: Path) -> list[int]:
    return [stat.S_IMODE(parent.stat().st_mode) for parent in path.parents]


def test_no_directory_above_a_cluster_or_its_programs_changes_its_mode(tmp_path: Path) -> None:
    private = tmp_path / "private" / "deeper"
    private.mkdir(mode=0o700, parents=True)
    private.parent.chmod(0o700)
    ways = (private / "data" / "postgres", programs.directory() / "postgres")
    before = [_modes(private), _modes(programs.directory() / "postgres")]
    with embedded.running(private / "data") as cluster, psycopg.connect(cluster.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert [_modes(private), _modes(ways[1])] == before


def test_variables_that_name_another_server_do_not_reach_the_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for name, value in {"PGPORT": "1", "PGDATA": "nowhere", "PGHOST": "nowhere", "PGTZ": "Asia/Tokyo"}.items():
            patch.setenv(name, value)
        patch.setenv("PGOPTIONS", "-c synchronous_commit=off")
        cluster_of = embedded.running(tmp_path)
        cluster = cluster_of.__enter__()
    try:
        assert (cluster.sockets / ".s.PGSQL.5432").exists()
        with psycopg.connect(cluster.url()) as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
            assert connection.execute("SHOW port").fetchone() == ("5432",)
            assert connection.execute("SHOW timezone").fetchone() != ("Asia/Tokyo",)
    finally:
        cluster_of.__exit__(None, None, None)


def test_a_program_that_fails_says_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"pg_dump failed: .*unrecognized option '--dance'"):
        programs.run("pg_dump", None, tmp_path, "--dance")


def test_the_version_is_that_of_the_package() -> None:
    assert programs.major_version() == "18"
