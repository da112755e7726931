"""Control groups, by which the kernel limits what the processes of a container may use.

The limits of the group that a process is in count, and those of every group above it.
"""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")  # where the system's files are


def directories(controller: str, root: Path = ROOT) -> Iterator[Path]:
    """Where the limits of a controller are: of the process's own group, and of those above it."""
    paths = _paths(controller, root)
    for line in _lines(root / "proc/self/mountinfo"):
        words = line.split()
        top, mount = words[3], words[4]
        kind, *_, options = words[words.index("-") + 1 :]
        if kind == "cgroup2" or (kind == "cgroup" and controller in options.split(",")):
            path = paths.get(kind, "/")
            # A container often sees its own group as the root of what is mounted, and its path from outside.
            within = Path(path).relative_to(top) if Path(path).is_relative_to(top) else Path()
            at = root / mount.lstrip("/")
            yield from (at / one for one in (within, *within.parents))


def _paths(controller: str, root: Path) -> dict[str, str]:
    """The path of the process's group in each kind of hierarchy that may have limits of the controller."""
    found = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found["cgroup2"] = path
        elif controller in controllers.split(","):
            found["cgroup"] = path
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
