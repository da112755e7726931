"""The processor cores that this process may use: those it may run on, or fewer where a container has a quota.

A quota is so many microseconds in each period, and belongs to a control group of the process.
"""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

from koshel.machine.control_groups import ROOT, directories


def available(root: Path = ROOT) -> int:
    """How many, at least one; a part of a core counts as one. `root` is where the system's files are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(ceil(quota) for quota in quotas(root))]))


def quotas(root: Path = ROOT) -> Iterator[float]:
    """The quotas of the process's groups, in cores."""
    for directory in directories("cpu", root):
        try:
            yield from _quota(directory)
        except (OSError, ValueError, ZeroDivisionError):
            continue  # not there, or not readable: then nothing is known of a quota


def _quota(directory: Path) -> Iterator[float]:
    if (unified := directory / "cpu.max").exists():
        quota, period = unified.read_text().split()
    else:
        quota, period = ((directory / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    if quota != "max" and int(quota) > 0:  # the older form says -1 where there is none
        yield int(quota) / int(period)
