"""The processor cores that this process may use: those it may run on, or fewer where a container has a quota.

A quota is so many microseconds in each period. The kernel keeps it with the process's control group, and a quota of
any group above it counts too.
"""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

ROOT = Path("/")


def available(root: Path = ROOT) -> int:
    """How many, at least one; a part of a core counts as one. `root` is where the system's files are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(ceil(quota) for quota in quotas(root))]))


def quotas(root: Path = ROOT) -> Iterator[float]:
    """The quotas of the process's groups, in cores."""
    for directory in _groups(root):
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


def _groups(root: Path) -> Iterator[Path]:
    """The directories of the groups that may have a quota: the process's own and those above it."""
    paths = _paths(root)
    for line in _lines(root / "proc/self/mountinfo"):
        words = line.split()
        top, mount = words[3], words[4]
        kind, *_, options = words[words.index("-") + 1 :]
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split(",")):
            path = paths.get(kind, "/")
            # A container often sees its own group as the root of what is mounted, and its path from outside.
            within = Path(path).relative_to(top) if Path(path).is_relative_to(top) else Path()
            at = root / mount.lstrip("/")
            yield from (at / one for one in (within, *within.parents))


def _paths(root: Path) -> dict[str, str]:
    """The path of the process's group in each kind of hierarchy that may have quotas."""
    found = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            found["cgroup"] = path
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
