"""What a data directory must be, and what is said of one that is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from koshel.db.errors import EmbeddedError
from koshel.db.server import programs


@contextmanager
def usable(data_dir: Path) -> Iterator[None]:
    """Raise EmbeddedError for what fails in the block: it names the data directory, and how to choose another."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # the latter where a path begins with the home of nobody
        at = getattr(error, "filename", None)
        where = "" if at is None or str(at) == str(data_dir) else f"{at}: "
        why = str(getattr(error, "strerror", None) or error).rstrip(".")
        said = f"the data directory {data_dir} cannot be used: {where}{why}; choose another with KOSHEL_DATA_DIR"
        raise EmbeddedError(said) from error


def check_version(directory: Path) -> None:
    """Whether the cluster is one, and of the version that comes with the package. Raises EmbeddedError."""
    version = directory / "PG_VERSION"
    if not version.is_file():
        raise EmbeddedError(
            f"the data directory {directory.parent} cannot be used: {directory} is not PostgreSQL's, since there is no"
            f" {version}; move it away, or choose another data directory with KOSHEL_DATA_DIR"
        )
    made_by = version.read_text().strip()
    if made_by != programs.major_version():
        raise EmbeddedError(
            f"{directory} is of PostgreSQL {made_by}, and this Koshel comes with PostgreSQL"
            f" {programs.major_version()}, which cannot read it. Nothing was changed. Start the Koshel that made it,"
            " move the data with pg_dump and psql to a --data-dir of this one, or set KOSHEL_DATABASE_URL to a server"
            f" of version {made_by}"
        )
