"""Fixtures of the shared data, which is not part of the project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure: no example has a time limit of its own.
settings.register_profile("tests", deadline=None, max_examples=40)
settings.register_profile("campaign", deadline=None)
settings.load_profile("tests")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real pages and golden lead images; its absence skips, and fails where CI runs."""
    folder = Path(os.environ.get("ECG_SHARED_DIR", REPOSITORY.parent / "shared"))
    if not (folder / "golden").is_dir():
        message = "NEEDS THE SHARED DATA: set ECG_SHARED_DIR to the folder that holds golden/ and data/"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def golden_pages(shared_dir: Path) -> list[Path]:
    """Twelve real pages; beside each, without the ending, the folder of its thirteen expected lead images."""
    pages = sorted(shared_dir.glob("golden/*/*.jpg"))
    assert len(pages) == 12
    return pages


@pytest.fixture(scope="session")
def published_pages(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every published file of the development pages, copies included, as class folders."""
    folder = tmp_path_factory.mktemp("published")
    subprocess.run([sys.executable, shared_dir / "data" / "unpack", folder, "--published"], check=True)
    return folder
