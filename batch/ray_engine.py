"""Chunks on Ray Data: on this machine, or on the cluster that RAY_ADDRESS names. Numbers of chunks travel, not pages.

Ray's own checkpoints are not used: a chunk's file says that it is done, whichever engine wrote it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import ray
import ray.data

from batch.chunks import ChunkWorker, Progress
from batch.errors import BatchError, WorkerError
from batch.run import Run

__all__ = ["run_ray"]


def run_ray(run: Run, chunks: Sequence[int], attempt: int, workers: int) -> Iterator[Progress]:
    """Work on chunks in ``workers`` actors and give their progress, chunk by chunk.

    Ray restarts an actor that dies; its chunk stays for the next attempt.

    Raises:
        BatchError: an actor cannot go on, or Ray cannot.
    """
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    numbers = ray.data.from_items([{"chunk": chunk} for chunk in chunks], override_num_blocks=len(chunks))
    done = numbers.map(
        _Actor,
        fn_constructor_args=(run, attempt),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(chunks)), max_tasks_in_flight_per_actor=1),
        num_cpus=1,
    )
    try:
        for row in done.iter_rows():
            yield Progress(row["pages"], row["failures"])
    except ray.exceptions.RayError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise WorkerError(
            f"Ray cannot go on: {reason}. Finished chunks are kept: run the same command again."
        ) from error


class _Actor:
    """A worker with the model loaded."""

    def __init__(self, run: Run, attempt: int) -> None:
        self._attempt = attempt
        self._worker = ChunkWorker(run)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Work on one chunk."""
        told: list[Progress] = []
        self._worker.work(int(row["chunk"]), self._attempt, told.append)
        return {"pages": sum(one.pages for one in told), "failures": sum(one.failures for one in told)}
