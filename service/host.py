"""The machine: CPUs, allocator and threads, loopback addresses, one ONNX Runtime."""

import ctypes
import ipaddress
import math
import os
import sys
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

import cv2

from service.errors import StartupError

__all__ = [
    "LOOPBACK_NAME",
    "available_cpus",
    "cgroup_cpus",
    "check_runtime_packages",
    "installed_runtime_packages",
    "is_loopback",
    "tune_process",
    "usable_cpus",
]

LOOPBACK_NAME = "localhost"

_RUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-gpu")

_SWITCH_S = 0.05
"""Python's default is 5 ms. Native code often releases the lock; more switches cost caches."""

# mallopt(3) and glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

_LARGEST_KEPT_BYTES = 32 * 2**20  # glibc takes no larger threshold
_KEPT_BYTES = 64 * 2**20  # at the end of the heap


def available_cpus() -> int:
    """Return the CPUs of this process: its affinity mask, limited by its control groups."""
    return usable_cpus(len(os.sched_getaffinity(0)), cgroup_cpus(Path("/sys/fs/cgroup"), _own_cgroups()))


def usable_cpus(affinity: int, quota_cpus: float | None) -> int:
    """Return the smaller of both, rounded up."""
    return affinity if quota_cpus is None else max(1, min(affinity, math.ceil(quota_cpus)))


def cgroup_cpus(root: Path, membership: str) -> float | None:
    """Return the tightest CPU quota of control groups and their parents, or None.

    Args:
        root: Where version 2 is mounted, and version 1 in the folder ``cpu``.
        membership: The text of ``/proc/self/cgroup``, see cgroups(7).
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
    """Read ``cpu.max`` (cgroup-v2.rst), or the files of version 1 (sched-bwc.rst)."""
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


def tune_process() -> None:
    """Prepare this process for pages in parallel threads.

    OpenCV needs no threads of its own. glibc, where there is one, keeps freed memory for the next page, which saves a
    thousand page faults.
    """
    cv2.setNumThreads(1)
    sys.setswitchinterval(_SWITCH_S)
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == LOOPBACK_NAME


def installed_runtime_packages() -> tuple[str, ...]:
    """Find the installed packages of ONNX Runtime."""
    return tuple(name for name in _RUNTIME_PACKAGES if any(metadata.distributions(name=name)))


def check_runtime_packages(installed: Collection[str]) -> None:
    """Raise `StartupError` unless exactly one package is installed."""
    if not installed:
        raise StartupError("No ONNX Runtime is installed. Install this package with the extra `cpu` or `gpu`.")
    if len(installed) > 1:
        raise StartupError(
            f"{' and '.join(sorted(installed))} are both installed and overwrite each other. "
            "Uninstall both, then install this package with the extra `cpu` or `gpu`, not with both."
        )
