"""`koshel url`: where the embedded database is, also where its path is too long for a socket."""

from pathlib import Path

import psycopg
import pytest

from koshel.db.server import embedded
from tests.support.ended import Koshel


@pytest.mark.parametrize("name", ["here", "x" * embedded.SOCKET_PATH_MAX])
def test_the_url_reaches_the_embedded_database(koshel: Koshel, tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    with embedded.running(directory):
        ended = koshel("url", data_dir=str(directory))
        assert (ended.status, ended.complained) == (0, "")
        with psycopg.connect(ended.printed.strip()) as connection:
            row = connection.execute("SELECT current_user, current_setting('data_directory')").fetchone()
    assert row == (embedded.OWNER, str(directory / "postgres"))
    assert (str(directory) in ended.printed) == (name == "here")


def test_where_there_is_none_it_says_so(koshel: Koshel, tmp_path: Path) -> None:
    ended = koshel("url", "--data-dir", str(tmp_path))
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained.startswith("koshel: there is no database: ")


def test_a_url_that_was_given_is_not_repeated(koshel: Koshel) -> None:
    ended = koshel("url", database_url="postgresql://ann:secret@db/koshel")
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained == (
        "koshel: KOSHEL_DATABASE_URL is the URL of the database; `koshel url` is for the embedded one\n"
    )
