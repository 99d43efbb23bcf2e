"""The measurement of what slow clients cost: it runs, and the honest client is always answered."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.campaign
def test_honest_pages_are_answered_beside_200_slow_clients(models_dir: Path) -> None:
    options = ["--clients", "200", "--seconds", "2", "--rounds", "1", "--models", str(models_dir)]
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.slow_clients", *options],
        check=True,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert re.search(r"^\| p99 ms \| [\d.]+ .* \| [\d.]+ .* \| [\d.]+ ", finished.stdout, re.MULTILINE)
