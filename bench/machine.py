"""The machine: what it is, and what its processes use, both read from /proc."""

import os
import platform
import sysconfig
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SYNCS = 100


def description(directory: Path) -> list[tuple[str, str]]:
    """What the numbers depend on, by name. `directory` is where the databases will be."""
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("cores", str(os.cpu_count())),
        ("processor", _field("cpuinfo", "model name")),
        ("memory", f"{int(_field('meminfo', 'MemTotal').split()[0]) / 1024 / 1024:.1f} GB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}, {optimisations()}"),
        ("fdatasync of 8 kB", f"{_sync_ms(directory):.2f} ms"),
        ("load average at the start", f"{os.getloadavg()[0]:.2f}"),
    ]


def optimisations() -> str:
    """How this Python was built: profile-guided and link-time optimisation make it a tenth to a fifth faster."""
    configured = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = " ".join(str(sysconfig.get_config_var(name) or "") for name in ("PY_CFLAGS", "PY_CFLAGS_NODIST"))
    found = {
        "--enable-optimizations": "--enable-optimizations" in configured or "-fprofile-use" in flags,
        "--with-lto": "--with-lto" in configured or "-flto" in flags,
    }
    level = next((flag for flag in reversed(flags.split()) if flag.startswith("-O")), "no -O")
    return ", ".join([f"{level}", *(f"{name}: {'yes' if is_so else 'no'}" for name, is_so in found.items())])


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    children = defaultdict(list)
    for pid, fields in _processes():
        children[int(fields[1])].append(pid)
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def children(parent: int) -> list[int]:
    """The processes that a process has started and that still run."""
    return [pid for pid, fields in _processes() if int(fields[1]) == parent]


def cpu_s(root: int) -> float:
    """Processor time of a tree of processes so far, with that of its children that have ended."""
    alive = set(tree(root))
    ticks = sum(sum(map(int, fields[11:15])) for pid, fields in _processes() if pid in alive)
    return ticks / TICKS_PER_S


def own_cpu_s(pids: Iterable[int]) -> dict[int, float]:
    """Processor time of each of these processes so far, by process id: its own, user and system."""
    wanted = set(pids)
    return {pid: sum(map(int, fields[11:13])) / TICKS_PER_S for pid, fields in _processes() if pid in wanted}


def resident_mb(pid: int) -> float:
    """Resident memory of one process, in 10^6 bytes."""
    return int(_field(f"{pid}/status", "VmRSS").split()[0]) * 1024 / 1e6


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Process ids, with the fields of /proc/<pid>/stat that follow the name: state, parent, ..."""
    for path in PROC.iterdir():
        if path.name.isdigit():
            try:
                stat = (path / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
            yield int(path.name), stat.rpartition(")")[2].split()


def _field(path: str, name: str) -> str:
    """The first line `name: value` of a file of /proc."""
    for line in (PROC / path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _sync_ms(directory: Path) -> float:
    """What a write that is durable takes, on average: the floor below every commit."""
    with tempfile.TemporaryFile(dir=directory) as file:
        start = time.perf_counter()
        for _ in range(SYNCS):
            file.write(bytes(8192))
            file.flush()
            os.fdatasync(file.fileno())
        return (time.perf_counter() - start) / SYNCS * 1000
