"""Cores: those that the process may run on, or fewer where a container's quota says so."""

import os
from pathlib import Path

import pytest

from koshel.machine import cores

MANY = set(range(64))
NEWER = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
OLDER = "33 32 0:30 {top} /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct"
OTHER = "34 32 0:31 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory"


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large machine, so that only a quota can be what makes it small."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: MANY, raising=False)


def system(root: Path, mounts: str, groups: str, files: dict[str, str]) -> Path:
    """The files of a system that say so."""
    for name, text in {"proc/self/mountinfo": mounts, "proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("quota", "count"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("50000 50000", 1), ("max 100000", 64)],
)
def test_a_quota_counts_as_cores_and_a_part_of_one_as_a_whole(tmp_path: Path, quota: str, count: int) -> None:
    root = system(tmp_path, NEWER, "0::/", {"sys/fs/cgroup/cpu.max": quota})
    assert cores.available(root) == count


@pytest.mark.parametrize(("quota", "count"), [("250000", 3), ("100000", 1), ("1000", 1), ("-1", 64), ("0", 64)])
def test_the_older_form_of_a_quota_counts_too(tmp_path: Path, quota: str, count: int) -> None:
    at = "sys/fs/cgroup/cpu,cpuacct"
    files = {f"{at}/cpu.cfs_quota_us": quota, f"{at}/cpu.cfs_period_us": "100000"}
    root = system(tmp_path, f"{OTHER}\n{OLDER.format(top='/')}", "4:memory:/x\n3:cpu,cpuacct:/", files)
    assert cores.available(root) == count


def test_the_least_quota_of_all_groups_above_counts(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/kube/pod/box/cpu.max": "max 100000",
        "sys/fs/cgroup/kube/pod/cpu.max": "300000 100000",
        "sys/fs/cgroup/kube/cpu.max": "800000 100000",
    }
    assert cores.available(system(tmp_path, NEWER, "0::/kube/pod/box", files)) == 3


def test_a_container_that_sees_its_own_group_as_the_root_finds_its_quota(tmp_path: Path) -> None:
    at = "sys/fs/cgroup/cpu,cpuacct"
    files = {f"{at}/cpu.cfs_quota_us": "400000", f"{at}/cpu.cfs_period_us": "100000"}
    assert cores.available(system(tmp_path, OLDER.format(top="/docker/1"), "3:cpu,cpuacct:/docker/1", files)) == 4
    assert cores.available(system(tmp_path, OLDER.format(top="/docker/1"), "3:cpu,cpuacct:/elsewhere", files)) == 4


@pytest.mark.parametrize("text", ["", "nonsense", "100000", "x y", "100000 0"])
def test_a_quota_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    assert cores.available(system(tmp_path, NEWER, "0::/", {"sys/fs/cgroup/cpu.max": text})) == 64


def test_a_system_that_says_nothing_has_the_cores_that_the_process_may_run_on(tmp_path: Path) -> None:
    assert cores.available(tmp_path) == 64


def test_a_quota_larger_than_the_machine_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    root = system(tmp_path, NEWER, "0::/", {"sys/fs/cgroup/cpu.max": "900000 100000"})
    assert cores.available(root) == 2
