"""README.md: its request, its answer, and the size of the shipped models."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.contract.readme_answer import real_answer, shortened, shown_answer

SHIPPED_LIMIT_BYTES = 12 * 2**20


def test_request_gives_the_shown_answer(tmp_path: Path) -> None:
    """After a change of the model, `python -m tests.contract.readme_answer` updates README.md."""
    assert shown_answer() == nearly(shortened(real_answer(tmp_path)))


def nearly(value: Any) -> Any:
    """Allow a difference in the last digit: libraries round differently on other machines."""
    if isinstance(value, dict):
        return {name: nearly(one) for name, one in value.items()}
    if isinstance(value, list):
        return [nearly(one) for one in value]
    return pytest.approx(value, abs=2e-3) if isinstance(value, float) else value


def test_shipped_models_stay_small() -> None:
    files = [path for path in (REPOSITORY / "models").rglob("*") if path.is_file() and "cnn" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= SHIPPED_LIMIT_BYTES


@pytest.mark.parametrize("folder", ["pages", "runs"])
def test_pages_and_runs_stay_out_of_git(folder: str) -> None:
    asked = ["git", "check-ignore", "-q", f"{folder}/MI/page.jpg"]
    assert subprocess.run(asked, cwd=REPOSITORY, check=False).returncode == 0
