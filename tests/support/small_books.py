"""The proof of a test's own few rows. What it costs is to plan its statements: one connection does that, not four."""

from koshel.db.verifying import verify


def wrong_in(url: str) -> list[str]:
    """What is wrong with the books, by every check that `verify.verify` makes; empty if they are right."""
    with verify.connect(url) as connection:
        return list(verify.find(connection))
