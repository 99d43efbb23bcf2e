"""An archive to classify, and the program as its user starts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import REPOSITORY

__all__ = ["LIMIT_S", "Program", "kill", "rows_of", "started", "wait_until"]

LIMIT_S = 900.0

Program = Callable[..., "subprocess.CompletedProcess[str]"]
"""Call with arguments of ``python -m batch``."""


def rows_of(output: Path) -> list[dict[str, Any]]:
    """All rows of a run, in the order of its chunks."""
    files = sorted((output / "chunks").glob("*.parquet"))
    rows: list[dict[str, Any]] = pa.concat_tables(map(pq.read_table, files)).to_pylist()
    return rows


def started(models: Path, *arguments: object, python: Path | str = sys.executable, **variables: str) -> Any:
    """Start the program in a process group of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ECG_")}
    return subprocess.Popen(
        [str(python), "-m", "batch", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**inherited, "ECG_MODELS_DIR": str(models), "PYTHONPATH": str(REPOSITORY), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def children(pid: int) -> list[int]:
    """Worker processes of a program, without Python's own resource tracker."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except FileNotFoundError:
            continue
        if b"spawn_main" in command:
            found.append(int(child))
    return found


def kill(pids: Iterable[int]) -> None:
    """Send SIGKILL."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail when it has not for `LIMIT_S`."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
