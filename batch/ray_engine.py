"""Chunks on Ray Data: on this machine, or on the cluster that RAY_ADDRESS names. Chunk numbers travel, not pages.

A chunk's file says that it is done, whichever engine wrote it, so Ray's own checkpoints are not needed.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import ray
import ray.data

from batch.chunks import ChunkWorker
from batch.errors import BatchError, WorkerError
from batch.run import Run

__all__ = ["run_ray"]

_ERRORS = {kind.__name__: kind for kind in BatchError.__subclasses__()}


def run_ray(run: Run, chunks: Sequence[int], attempt: int, workers: int) -> Iterator[int]:
    """Work on chunks in ``workers`` actors and give the pages of each chunk that is done.

    Ray restarts an actor that dies; its chunk stays for the next attempt.

    Raises:
        BatchError: an actor cannot go on, or Ray cannot.
    """
    _connect()
    numbers = ray.data.from_items([{"chunk": chunk} for chunk in chunks], override_num_blocks=len(chunks))
    done = numbers.map(
        _Actor,
        fn_constructor_args=(run, attempt),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(chunks)), max_tasks_in_flight_per_actor=1),
        num_cpus=1,
    )
    try:
        for row in done.iter_rows():
            if row["error"]:
                raise _ERRORS[row["error"]](row["message"])
            yield row["pages"]
    except ray.exceptions.RayError as error:
        raise _stopped(error) from error


def _connect() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # otherwise Ray tells its makers about the cluster
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        ray.init(ignore_reinit_error=True, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray's node raises no class of its own
        raise _stopped(error) from error


def _stopped(error: Exception) -> WorkerError:
    reason = str(error).strip().rpartition("\n")[2].rstrip(".")
    return WorkerError(f"Ray stops: {reason}. Finished chunks are kept: run the same command again.")


class _Actor:
    """A process of Ray with the model loaded. Errors of ours travel as values: Ray would wrap and log them."""

    def __init__(self, run: Run, attempt: int) -> None:
        self._run, self._attempt = run, attempt
        self._worker: ChunkWorker | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Work on one chunk."""
        told: list[int] = []
        kind, message = "", ""
        try:
            self._worker = self._worker or ChunkWorker(self._run)
            self._worker.work(int(row["chunk"]), self._attempt, told.append)
        except BatchError as error:
            kind, message = type(error).__name__, str(error)
        return {"pages": sum(told), "error": kind, "message": message}
