"""A wheel of the package is whole: what is compiled is compiled for it, and lies in it."""

import subprocess
import sys
from pathlib import Path
from shutil import copy
from zipfile import ZipFile

import pytest

from tests.conftest import REPOSITORY


def tracked_files() -> list[str]:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and not name.startswith("models/")]


@pytest.mark.campaign
def test_a_wheel_of_a_fresh_checkout_reads_pages(tmp_path: Path) -> None:
    """Built as pip builds it, with what the build asks for fetched; nothing that was compiled here is there."""
    checkout, wheels, site = tmp_path / "checkout", tmp_path / "wheels", tmp_path / "site"
    for name in tracked_files():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        copy(REPOSITORY / name, checkout / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, checkout]
    subprocess.run(list(map(str, command)), check=True)
    (wheel,) = wheels.glob("*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(site)
    program = (
        "import numpy as np; from shared_preproc import masks, spec; "
        "print(masks.__file__, masks.binarize(np.eye(9, dtype=np.uint8), spec.MASKS_150).shape)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=site, check=True, capture_output=True, text=True).stdout
    assert said == f"{site / 'shared_preproc' / 'masks.py'} (9, 9)\n"
