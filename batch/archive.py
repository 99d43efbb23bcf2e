"""Work on what is left of a run until nothing is, with any engine."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Literal

from tqdm import tqdm

from batch.errors import WorkerError
from batch.run import Run, Shard
from batch.summary import Throughput

__all__ = ["ENGINES", "EngineName", "classify_chunks"]

EngineName = Literal["processes", "ray"]
_MOST_IDLE_ATTEMPTS = 20
"""Claims of as many dead runners are skipped before a chunk counts as impossible."""

_Engine = Callable[[Run, Sequence[int], int, int], Iterator[int]]

ENGINES: tuple[EngineName, ...] = ("processes", "ray")


def classify_chunks(run: Run, shard: Shard, engine: EngineName, workers: int) -> Throughput:
    """Classify every page of a shard that has no row yet, and say how fast it went.

    Each attempt takes the chunks that are unfinished and claimed by nobody in this attempt. So runners share the work,
    and what a dead or slow runner claimed is done by whoever has nothing else left.

    Raises:
        BatchError: the engine cannot go on.
    """
    work, started_s, pages, idle = _engine(engine), time.monotonic(), 0, 0
    mine = run.pages(range(shard.number, run.index.chunks, shard.count))
    unfinished = run.unfinished(shard)
    with tqdm(total=mine, initial=mine - run.pages(unfinished), unit=" pages", disable=None) as bar:
        for attempt in count(1):
            if not unfinished:
                break
            pages_before = pages
            for more in work(run, unfinished, attempt, workers):
                pages += more
                bar.update(more)
            unfinished = run.unfinished(shard)
            idle = idle + 1 if pages == pages_before else 0
            if unfinished and idle > _MOST_IDLE_ATTEMPTS:
                raise WorkerError(f"No worker finishes chunk {unfinished[0]}. Look for a page that ends the process.")
            bar.n = mine - run.pages(unfinished)
    return Throughput(pages, time.monotonic() - started_s)


def _engine(name: EngineName) -> _Engine:
    if name == "ray":
        from batch.ray_engine import run_ray  # noqa: PLC0415 - 800 MB, of an extra of its own

        return run_ray
    from batch.processes import run_processes  # noqa: PLC0415 - not where Ray has processes of its own

    return run_processes
