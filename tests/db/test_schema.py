"""The schema on file is the one that the migrations make."""

from tests.support import generate
from tests.support.database import Database


def test_the_schema_on_file_is_what_the_migrations_make(database: Database) -> None:
    made = generate.schema_text(database.owner_url)
    assert generate.SCHEMA.read_text() == made, "run `make docs`"


def test_the_schema_on_file_says_nothing_of_yoyo() -> None:
    assert "yoyo" not in generate.SCHEMA.read_text()
