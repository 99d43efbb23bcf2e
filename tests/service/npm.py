"""npm packages of a test, pinned by the hashes of a lock file and kept in .cache/npm."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

__all__ = ["installed", "project", "run"]

NPM = shutil.which("npm")
NEEDS = "NEEDS npm: apt-get install nodejs npm"
TIMEOUT_S = 300


def installed(source: Path) -> Path:
    """A folder with the node_modules of ``source``'s lock file; without npm it skips, and fails where CI runs."""
    lock = source / "package-lock.json"
    folder = REPOSITORY / ".cache" / "npm" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        scratch = folder.with_name(f"{folder.name}-{os.getpid()}")
        scratch.mkdir(parents=True)
        for name in ("package.json", lock.name):
            shutil.copy(source / name, scratch)
        run(scratch, _npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        scratch.rename(folder)  # whole, or not there
    return folder


def project(source: Path, folder: Path) -> Path:
    """Make ``folder`` a copy of ``source`` in which the packages of its lock file are installed."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(installed(source) / "node_modules")
    return folder


def run(folder: Path, *command: str | Path, given: str = "") -> str:
    """What a command prints, ``given`` this on stdin, once it has succeeded."""
    done = subprocess.run(
        command, cwd=folder, input=given, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _npm() -> str:
    if NPM is not None:
        return NPM
    if os.environ.get("CI"):
        pytest.fail(NEEDS)
    pytest.skip(NEEDS)
