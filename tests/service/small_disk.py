"""A small disk that only one process sees: mounted in namespaces of its own, so that nobody has to be root.

Run as a program (``-m tests.service.small_disk FOLDER BYTES``) it is the service on such a disk. Needs Linux that lets
users make namespaces, and imports nothing that starts a thread: only a process of one thread can change its own.
"""

import ctypes
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["on_a_small_disk", "require_namespaces"]

_FOLDER = Path(__file__).parent
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000  # sched.h: CLONE_NEWUSER, CLONE_NEWNS


def on_a_small_disk(folder: Path, size_bytes: int) -> tuple[str, ...]:
    """Arguments for the interpreter: the service, to which this folder is a disk of its own."""
    return ("-m", "tests.service.small_disk", str(folder), str(size_bytes))


def require_namespaces() -> None:
    """Skip where this machine does not let a process have a disk of its own."""
    probe = f"from tests.service.small_disk import _mount; _mount({str(_FOLDER)!r}, 4096)"
    if subprocess.run(
        [sys.executable, "-c", probe], check=False, cwd=_FOLDER.parents[1], capture_output=True
    ).returncode:
        pytest.skip(
            "NEEDS USER NAMESPACES, to mount a small disk: kernel.unprivileged_userns_clone, or a looser seccomp"
        )


def _mount(folder: str, size_bytes: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    _check(libc.unshare(_NEW_USER | _NEW_MOUNTS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _check(libc.mount(b"small", folder.encode(), b"tmpfs", 0, f"size={size_bytes}".encode()))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    _mount(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["service"]
    runpy.run_module("service", run_name="__main__", alter_sys=True)
