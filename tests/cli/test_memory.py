"""Memory: the machine's, or less where a container's limit says so."""

import os
import resource
from pathlib import Path

import pytest

from koshel.machine import memory
from tests.cli.test_cores import NEWER, OTHER, system

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(("limit", "expected"), [("536870912", 536_870_912), ("max", MACHINE), ("nonsense", MACHINE)])
def test_a_limit_is_all_there_is(tmp_path: Path, limit: str, expected: int) -> None:
    root = system(tmp_path, NEWER, "0::/", {"sys/fs/cgroup/memory.max": limit})
    assert memory.available(root) == expected


def test_the_least_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/kube/pod/box/memory.max": "max",
        "sys/fs/cgroup/kube/pod/memory.max": "300000000",
        "sys/fs/cgroup/kube/memory.max": "800000000",
    }
    assert memory.available(system(tmp_path, NEWER, "0::/kube/pod/box", files)) == 300_000_000


@pytest.mark.parametrize(("limit", "expected"), [("268435456", 268_435_456), ("9223372036854771712", MACHINE)])
def test_the_older_form_of_a_limit_counts_too(tmp_path: Path, limit: str, expected: int) -> None:
    """Without a limit it says a number that no machine has."""
    root = system(tmp_path, OTHER, "10:memory:/", {"sys/fs/cgroup/memory/memory.limit_in_bytes": limit})
    assert memory.available(root) == expected


def test_where_nothing_is_known_of_limits_it_is_the_machines(tmp_path: Path) -> None:
    assert memory.available(tmp_path) == MACHINE


def test_a_limit_of_the_process_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (300_000_000, 400_000_000))
    assert memory.available(tmp_path) == 300_000_000
