"""What an archive costs: `ecg-batch` beside `classify` in a bare loop, in one run.

    python -m benchmarks.archive [--pages 2000] [--drawn 40] [--workers 1 2] [--folder FOLDER]

``--drawn`` pages are printed and stand in the folder again and again under other names. CPU time is that of all
processes, their start included. On a GPU machine, with ``onnxruntime-gpu``: ``ECG_PROVIDER=cuda``, and few workers.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event

from batch.chunks import ChunkWorker
from batch.index import Origin, ensure_index
from batch.pages import PageReader, identify_model
from batch.run import start_run
from batch.storage import open_storage
from benchmarks.measuring import cpu_ms_each, synthetic_pages, table

__all__ = ["Measured", "measure"]

_CHUNKS = 16
_WATCH_S = 0.5
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Measured:
    """One run over an archive."""

    workers: int
    cpu_ms: float
    """Of all processes, a page."""
    pages_per_s: float
    worker_mib: float
    """The most memory of one worker; what processes share is shared out among them."""
    read_mb: float
    written_mb: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--drawn", type=int, default=40, help="different pages")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--folder", type=Path, help="where the archive and the rows are put; default: a temporary one")
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as folder:
        archive = Path(folder, "archive")
        _write(synthetic_pages(options.drawn), options.pages, archive)
        bare_ms, chunk_ms = beside_bare(archive, Path(folder, "beside"))
        runs = [measure(archive, Path(folder, f"rows-{workers}"), workers) for workers in options.workers]
    print(f"CPU ms a page, in turn: bare {bare_ms:.1f}, in chunks {chunk_ms:.1f}, ratio {chunk_ms / bare_ms:.2f}\n")
    print(table(_HEAD, map(_cells, runs)))


def beside_bare(archive: Path, output: Path) -> tuple[float, float]:
    """Give CPU ms a page of `classify` in a loop and of whole chunks (reading, writing and all), each chunk in turn.

    In turn, because what else a machine does changes the CPU time of both.
    """
    model, storage = identify_model(None), open_storage(str(output))
    index = ensure_index(storage, Origin(str(archive)))
    worker, reader = ChunkWorker(start_run(str(output), model, "parquet")), PageReader(model.ref)
    bare_ms, chunk_ms = [], []
    for chunk in range(min(_CHUNKS, index.chunks)):
        pages = [Path(source).read_bytes() for source in index.sources(chunk)]
        bare_ms.append(cpu_ms_each(reader.read, pages))
        chunk_ms.append(cpu_ms_each(lambda chunk: worker.work(chunk, 1, _unheard), [chunk]) / len(pages))
    return median(bare_ms[1:]), median(chunk_ms[1:])


def _unheard(_pages: int) -> None:
    """Take the progress, which nobody looks at."""


_HEAD = ("workers", "CPU ms a page", "pages a core-hour", "pages/s", "MiB a worker", "MB read", "MB written")


def measure(archive: Path, output: Path, workers: int) -> Measured:
    """Classify an archive in processes of its own."""
    before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "batch", "classify", str(archive), str(output), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as runner, _watched(runner.pid) as seen_mib:  # noqa: S603 - ours
        if runner.wait():
            raise SystemExit(f"ecg-batch ended with {runner.returncode}")
    spent_s, after = time.perf_counter() - started_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    pages = sum(1 for _ in archive.iterdir())
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(workers, cpu_s * 1000 / pages, pages / spent_s, max(seen_mib), _size_mb(archive), _size_mb(output))


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """Note the memory of each child of a process again and again, in MiB."""
    seen_mib, ended = [0.0], Event()

    def watch() -> None:
        while not ended.wait(_WATCH_S):
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                seen_mib.extend(map(_memory_mib, children))
            except OSError:
                continue

    with ThreadPoolExecutor(1) as thread:
        thread.submit(watch)
        try:
            yield seen_mib
        finally:
            ended.set()


def _memory_mib(pid: str) -> float:
    """Memory of a process; what several share is shared out among them (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def _write(drawn: list[bytes], pages: int, folder: Path) -> None:
    folder.mkdir()
    for number in range(pages):
        file, first = folder / f"{number:06d}.jpg", folder / f"{number % len(drawn):06d}.jpg"
        if number < len(drawn):
            file.write_bytes(drawn[number])
        else:
            os.link(first, file)


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _cells(run: Measured) -> list[str]:
    per_hour = _SECONDS_PER_HOUR * 1000 / run.cpu_ms
    speeds = f"{run.cpu_ms:.1f}", f"{per_hour:.0f}", f"{run.pages_per_s:.1f}", f"{run.worker_mib:.0f}"
    return [str(run.workers), *speeds, f"{run.read_mb:.1f}", f"{run.written_mb:.2f}"]


if __name__ == "__main__":
    main()
