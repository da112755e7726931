"""The schema that this version of Koshel needs: the names of its migrations, known without applying any."""

from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

DIRECTORY = Path(__file__).parents[1] / "migrations"


def known() -> list[str]:
    """Names of the migrations that this version of Koshel needs, in order."""
    return sorted(path.stem for path in DIRECTORY.glob("*.sql"))


class Compared(Struct, frozen=True):
    """The migrations of a database, beside those of this version; in order."""

    due: list[str]  # this version needs them, and the database lacks them
    unknown: list[str]  # the database has them of a newer version, and this one does not know what they have changed

    @property
    def newer(self) -> str:
        """A sentence for a schema that is newer than this version; empty if it is not."""
        if not self.unknown:
            return ""
        return f"the schema is newer than this version of Koshel, which does not know {', '.join(self.unknown)}"


def compared(applied: Collection[str]) -> Compared:
    """Those of a database that has these."""
    ours = known()
    return Compared([name for name in ours if name not in applied], sorted({*applied} - {*ours}))
