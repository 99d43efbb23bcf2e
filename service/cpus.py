"""How many CPUs this process may really use. Knows nothing of what they are used for.

Thread pools ask the machine how many CPUs it has; in a container that is the wrong number.
"""

import math
import os
from pathlib import Path

__all__ = ["available_cpus", "cgroup_cpus", "usable_cpus"]


def available_cpus() -> int:
    """CPUs of this process: its affinity mask, lowered by the quota of its control groups. At least 1."""
    return usable_cpus(len(os.sched_getaffinity(0)), cgroup_cpus(Path("/sys/fs/cgroup"), _own_cgroups()))


def usable_cpus(affinity: int, quota_cpus: float | None) -> int:
    """The smaller of both, a quota rounded up: half a CPU still runs one thread."""
    return affinity if quota_cpus is None else max(1, min(affinity, math.ceil(quota_cpus)))


def cgroup_cpus(root: Path, membership: str) -> float | None:
    """The tightest CPU quota, in CPUs, of the groups in ``membership`` and of those around them; None without any.

    ``membership`` is the text of ``/proc/self/cgroup`` (cgroups(7)), ``root`` where the groups are mounted: those of
    version 2 there, those of version 1 in its folder ``cpu``.
    """
    folders: list[Path] = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            mount = root / "cpu" if controllers else root
            own = mount / path.lstrip("/")
            folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(mount)]
    return min((quota for folder in folders if (quota := _quota_cpus(folder)) is not None), default=None)


def _quota_cpus(folder: Path) -> float | None:
    """The quota of one group, all in microseconds; None where there is none.

    Version 2: ``cpu.max``, a quota or "max" and a period (Linux admin-guide/cgroup-v2.rst). Version 1: a file for each,
    and -1 for no quota (scheduler/sched-bwc.rst).
    """
    files = [folder / "cpu.max"]
    if not files[0].exists():
        files = [folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"]
    try:
        quota_us, period_us = " ".join(file.read_text() for file in files).split()
        return int(quota_us) / int(period_us) if int(quota_us) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _own_cgroups() -> str:
    try:
        return Path("/proc/self/cgroup").read_text()
    except OSError:
        return ""
