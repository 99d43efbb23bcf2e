"""Runners that are killed and runners that race: each page still has exactly one row."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.batch.archive import Program, children, kill, rows_of, started, wait_until

pytestmark = pytest.mark.batch

PAGES, CHUNK, KILLS, WORKERS = 600, 20, 10, 2


@pytest.fixture(scope="module")
def archive(drawn: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough pages for ten kills."""
    folder = tmp_path_factory.mktemp("archive")
    for number in range(PAGES):
        os.link(drawn[number % len(drawn)], folder / f"{number:03d}.jpg")
    return folder


def begun(output: Path) -> int:
    """Chunks that were begun so far, those begun again included."""
    return len(list(output.glob("claims/*")))


def check_rows(output: Path, ecg_batch: Program) -> None:
    sources = [row["source"] for row in rows_of(output)]
    assert len(sources) == len(set(sources)) == PAGES
    assert ecg_batch("verify", output).returncode == 0


def test_ten_kills_lose_no_page(archive: Path, models: Path, ecg_batch: Program, tmp_path: Path) -> None:
    output, victims = tmp_path / "output", 0
    chance = np.random.default_rng()
    runner = started(models, "classify", archive, output)
    for number in range(KILLS):
        before = begun(output)
        wait_until(lambda before=before: begun(output) > before)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.3))
        workers = children(runner.pid)
        assert workers, "the run was over before it was killed ten times"
        if number % 2:
            kill([int(chance.choice(workers))])
            victims += 1
            continue
        kill([runner.pid])
        runner.communicate()
        victims += len(workers)
        wait_until(lambda workers=workers: not any(map(is_running, workers)))  # type: ignore[misc]
        runner = started(models, "classify", archive, output)
    kill([runner.pid])
    runner.communicate()
    victims, begun_before = victims + WORKERS, begun(output)
    last = ecg_batch("classify", archive, output)
    assert last.returncode == 0, last.stderr
    check_rows(output, ecg_batch)
    done_twice = begun_before * CHUNK + int(last.stdout.split()[0]) - PAGES
    assert done_twice <= victims * CHUNK


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty: dead, and nobody has asked how it ended
    except FileNotFoundError:
        return False


def test_two_runners_share_one_output(archive: Path, models: Path, ecg_batch: Program, tmp_path: Path) -> None:
    output = tmp_path / "output"
    runners = [started(models, "classify", archive, output) for _ in range(2)]
    done = 0
    for runner in runners:
        out, err = runner.communicate()
        assert runner.returncode == 0, err
        done += int(out.split()[0])
    check_rows(output, ecg_batch)
    assert done - PAGES <= 2 * WORKERS * CHUNK


def test_workers_that_always_die_end_the_run(archive: Path, models: Path, tmp_path: Path) -> None:
    with started(models, "classify", archive, tmp_path / "output") as runner:
        while runner.poll() is None:
            kill(children(runner.pid))
            time.sleep(0.02)
        assert runner.returncode == 5
        assert "Worker processes die one after the other" in runner.communicate()[1]
