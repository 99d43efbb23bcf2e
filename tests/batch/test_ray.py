"""Ray Data as the engine, in an environment of its own (`make test-batch` makes it)."""

import os
from pathlib import Path

import pytest

from tests.batch.archive import Program, kill, rows_of, started, wait_until
from tests.batch.conftest import PAGES
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.batch

PYTHON = REPOSITORY / ".cache" / "ray" / "bin" / "python"
CHUNK, ACTORS = 20, 2


@pytest.fixture(scope="module", autouse=True)
def ray() -> None:
    """Ray; its absence skips, and fails where CI runs."""
    if not PYTHON.exists():
        message = f"NEEDS RAY in {PYTHON.parents[1]}: `make test-batch` installs it"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


def actors() -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cmdline").read_bytes().startswith(b"ray::MapWorker"):
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def chunks(output: Path) -> int:
    return len(list(output.glob("chunks/*")))


def test_killed_actor_and_killed_driver(archive: Path, models: Path, ecg_batch: Program, tmp_path: Path) -> None:
    output = tmp_path / "output"
    command = ("classify", archive, output, "--engine", "ray", "--workers", ACTORS)
    with started(models, *command, python=PYTHON) as driver:
        wait_until(lambda: chunks(output) >= 1 and len(actors()) == ACTORS)
        kill(actors()[:1])
        wait_until(lambda: chunks(output) >= 4)
        kill([driver.pid])
    wait_until(lambda: not actors())
    begun = len(list(output.glob("claims/*")))
    with started(models, *command, python=PYTHON) as driver:
        out, err = driver.communicate()
    assert driver.returncode == 0, err
    assert len({row["source"] for row in rows_of(output)}) == len(rows_of(output)) == PAGES
    assert ecg_batch("verify", output).returncode == 0
    assert begun * CHUNK + int(out.split()[0]) - PAGES <= (1 + ACTORS) * CHUNK


def test_another_model_ends_with_one_line(archive: Path, models: Path, finished: Path) -> None:
    command = ("classify", archive, finished, "--engine", "ray", "--model", "other")
    with started(models, *command, python=PYTHON) as driver:
        _, err = driver.communicate()
    assert driver.returncode == 4
    assert err.splitlines()[-1].startswith("ecg-batch: ")
    assert "Traceback" not in err
