"""How many CPUs this process may really use. Knows nothing of what they are used for.

Thread pools ask the machine how many CPUs it has; in a container that is the wrong number.
"""

import math
import os
from pathlib import Path

__all__ = ["available_cpus", "cgroup_cpus", "usable_cpus"]


def available_cpus() -> int:
    """CPUs of this process: its affinity mask, lowered by the quota of its control groups. At least 1."""
    return usable_cpus(len(os.sched_getaffinity(0)), cgroup_cpus(Path("/sys/fs/cgroup"), _own_cgroup()))


def usable_cpus(affinity: int, quota_cpus: float | None) -> int:
    """The smaller of both, a quota rounded up: half a CPU still runs one thread."""
    return affinity if quota_cpus is None else max(1, min(affinity, math.ceil(quota_cpus)))


def cgroup_cpus(root: Path, cgroup: str) -> float | None:
    """The tightest CPU quota on the way from ``root`` down to ``cgroup``, in CPUs; ``None`` where there is none.

    Reads ``cpu.max`` (cgroup v2, Linux admin-guide/cgroup-v2.rst): ``<quota or "max"> <period>``, microseconds.
    """
    own = root / cgroup.lstrip("/")
    quotas = (_quota_cpus(folder / "cpu.max") for folder in (own, *own.parents) if folder.is_relative_to(root))
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_cpus(file: Path) -> float | None:
    try:
        quota_us, _, period_us = file.read_text().partition(" ")
        return None if quota_us == "max" else int(quota_us) / int(period_us)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _own_cgroup() -> str:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
