"""CPUs that may be used, from fake control group trees."""

import os
from pathlib import Path

import pytest

from service.host import available_cpus, cgroup_cpus, usable_cpus


@pytest.mark.parametrize(
    ("affinity", "quota_cpus", "expected"),
    [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.25, 1), (2, 16.0, 2), (1, 1.0, 1)],
)
def test_the_smaller_of_affinity_and_quota(affinity: int, quota_cpus: float | None, expected: int) -> None:
    assert usable_cpus(affinity, quota_cpus) == expected


@pytest.mark.parametrize(
    ("files", "path", "expected"),
    [
        ({}, "/", None),
        ({"cpu.max": "max 100000\n"}, "/", None),
        ({"cpu.max": "150000 100000\n"}, "/", 1.5),
        ({"cpu.max": "400000 100000\n", "pod/cpu.max": "200000 100000\n"}, "/pod/container", 2.0),
        ({"pod/cpu.max": "100000 100000\n", "pod/container/cpu.max": "max 100000\n"}, "/pod/container", 1.0),
        ({"other/cpu.max": "100000 100000\n"}, "/pod", None),
        ({"cpu.max": "nonsense\n"}, "/", None),
        ({"cpu.max": ""}, "/", None),
        ({"cpu.max": "100000 0\n"}, "/", None),
    ],
)
def test_the_tightest_quota_on_the_way(
    files: dict[str, str], path: str, expected: float | None, tmp_path: Path
) -> None:
    lay_out(tmp_path, files)
    assert cgroup_cpus(tmp_path, f"0::{path}\n") == expected


@pytest.mark.parametrize(
    ("quota_us", "period_us", "expected"), [("150000", "100000", 1.5), ("-1", "100000", None), ("100000", "", None)]
)
@pytest.mark.parametrize("folder", ["cpu", "cpu/docker/0a"])
def test_quotas_of_version_1(
    quota_us: str, period_us: str, expected: float | None, folder: str, tmp_path: Path
) -> None:
    lay_out(tmp_path, {f"{folder}/cpu.cfs_quota_us": f"{quota_us}\n", f"{folder}/cpu.cfs_period_us": f"{period_us}\n"})
    membership = "9:name=systemd:/docker/0a\n4:cpuset:/elsewhere\n3:cpu,cpuacct:/docker/0a\n0::/\n"
    assert cgroup_cpus(tmp_path, membership) == expected


def lay_out(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_this_machine() -> None:
    assert 1 <= available_cpus() <= len(os.sched_getaffinity(0))
