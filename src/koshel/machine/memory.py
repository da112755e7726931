"""The memory that this process may use: the machine's, or less where a container or the process has a limit."""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from koshel.machine.control_groups import ROOT, directories

_NAMES = ("memory.max", "memory.limit_in_bytes")  # the newer form, and the older one


def available(root: Path = ROOT) -> int:
    """How much, in bytes. `root` is where the system's files are."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *limits(root)])


def limits(root: Path = ROOT) -> Iterator[int]:
    """The limits of the process and of its groups, in bytes."""
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        yield address_space
    for directory in directories("memory", root):
        for name in _NAMES:
            with suppress(OSError, ValueError):  # not there, not readable, or `max`
                yield int((directory / name).read_text())
