"""Where every command begins.

Nothing else is imported before, so that Ctrl-C ends a command also while it imports what it needs.
"""

import gc
import os
import sys
from collections.abc import Sequence

INTERRUPTED = 128 + 2  # the status of a program that SIGINT ends, as shells say it
# More objects than there were, before garbage is looked for. Nothing that is imported becomes garbage, and after the
# usual 700 each command would look at it again and again.
GC_THRESHOLD = 50_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    try:
        _fill_closed_descriptors()
        gc.set_threshold(GC_THRESHOLD)
        from koshel.command_line import running  # noqa: PLC0415  it imports all that a command line needs

        return running.run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _fill_closed_descriptors() -> None:
    """Let nothing else, such as a connection to the database, get the number of a stream that is closed."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number: this one
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")
