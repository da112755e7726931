"""Whether the lines of a file are in the order of their times.

An export is in the order of ids. A transaction that was queued got its id then, and may have been posted long after
others with higher ids: imported in its place, it may find no money yet.
"""

from datetime import datetime

from koshel.files.lines import Line


class Order:
    """Looks at the lines of one file, from its first to its last."""

    def __init__(self) -> None:
        self.older: int | None = None  # the first line whose time is before that of a line above it
        self._latest: datetime | None = None

    def look(self, line: Line) -> None:
        """The next line; one that says no time, or one without an offset, stands anywhere."""
        said = line.values.get("ctime")
        if type(said) is not str or self.older is not None:
            return
        try:
            time = datetime.fromisoformat(said)
        except ValueError:  # it was written by something else
            return
        if time.tzinfo is None:
            return
        if self._latest is None or time >= self._latest:
            self._latest = time
        else:
            self.older = line.number
