"""The schema that this version of Koshel needs: the names of its migrations, known without applying any."""

from pathlib import Path

DIRECTORY = Path(__file__).parents[1] / "migrations"


def known() -> list[str]:
    """Names of the migrations that this version of Koshel needs, in order."""
    return sorted(path.stem for path in DIRECTORY.glob("*.sql"))
