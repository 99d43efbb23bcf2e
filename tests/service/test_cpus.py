"""CPUs that may be used, from fake control group trees."""

import os
from pathlib import Path

import pytest

from service.cpus import available_cpus, cgroup_cpus, usable_cpus


@pytest.mark.parametrize(
    ("affinity", "quota_cpus", "expected"),
    [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.25, 1), (2, 16.0, 2), (1, 1.0, 1)],
)
def test_the_smaller_of_affinity_and_quota(affinity: int, quota_cpus: float | None, expected: int) -> None:
    assert usable_cpus(affinity, quota_cpus) == expected


@pytest.mark.parametrize(
    ("files", "cgroup", "expected"),
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
    files: dict[str, str], cgroup: str, expected: float | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cgroup_cpus(tmp_path, cgroup) == expected


def test_this_machine() -> None:
    assert 1 <= available_cpus() <= len(os.sched_getaffinity(0))
