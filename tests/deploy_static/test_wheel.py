"""A wheel of the package is whole: what is compiled is compiled for it, and lies in it."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import copy
from zipfile import ZipFile

import pytest

from tests.conftest import REPOSITORY
from tests.factories import page_jpeg

PROGRAM = """
import hashlib, sys
from pathlib import Path
from shared_preproc import pipeline, spec
page = Path(sys.argv[1]).read_bytes()
tensors = [pipeline.preprocess(page, one).tobytes() for one in (spec.MASKS_150, spec.TRACES_50_HZ)]
print(pipeline.__file__)
print(hashlib.sha256(b"".join(tensors)).hexdigest())
"""


def tracked_files() -> list[str]:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and not name.startswith("models/")]


@pytest.mark.campaign
def test_wheel_of_a_fresh_checkout_reads_pages(tmp_path: Path) -> None:
    """Built as pip builds it, with what the build asks for fetched; nothing that was compiled here is there."""
    checkout, wheels, site = tmp_path / "checkout", tmp_path / "wheels", tmp_path / "site"
    for name in tracked_files():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        copy(REPOSITORY / name, checkout / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(checkout)]
    subprocess.run(build, check=True)
    (wheel,) = wheels.glob("*.whl")
    assert re.search(r"-py3-none-(manylinux|macosx)_", wheel.name)
    with ZipFile(wheel) as packed:
        packed.extractall(site)
    (tmp_path / "page").write_bytes(page_jpeg())
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "page")]
    wheels_path, wheels_sha256 = subprocess.check_output(command, cwd=site, text=True).splitlines()
    here_sha256 = subprocess.check_output(command, cwd=REPOSITORY, text=True).splitlines()[1]
    assert wheels_path == str(site / "shared_preproc" / "pipeline.py")
    assert wheels_sha256 == here_sha256  # whatever compiler this checkout was compiled with
