"""What the service needs of the machine: usable CPUs, the memory allocator, loopback addresses."""

import ctypes
import ipaddress
import math
import os
from pathlib import Path

__all__ = ["LOOPBACK_NAME", "available_cpus", "cgroup_cpus", "is_loopback", "keep_freed_memory", "usable_cpus"]

LOOPBACK_NAME = "localhost"

# glibc, malloc.h; mallopt(3).
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

_LARGEST_KEPT_BYTES = 32 * 2**20  # the most that glibc takes as a threshold for mapping
_KEPT_BYTES = 64 * 2**20  # at the end of the heap


def available_cpus() -> int:
    """Return the CPUs of this process, at least 1: its affinity mask, lowered by the quota of its control groups."""
    return usable_cpus(len(os.sched_getaffinity(0)), cgroup_cpus(Path("/sys/fs/cgroup"), _own_cgroups()))


def usable_cpus(affinity: int, quota_cpus: float | None) -> int:
    """Return the smaller of both, a quota rounded up: half a CPU still runs one thread."""
    return affinity if quota_cpus is None else max(1, min(affinity, math.ceil(quota_cpus)))


def cgroup_cpus(root: Path, membership: str) -> float | None:
    """Return the tightest CPU quota, in CPUs, of the groups in ``membership`` and their parents; None without any.

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


def keep_freed_memory() -> bool:
    """Let the next page reuse the memory of the last one; return whether the C library supports that.

    glibc would return a page's memory to the kernel, and a thousand page faults would bring it back. musl is left as
    it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES) and mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == LOOPBACK_NAME


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
