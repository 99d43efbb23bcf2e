"""Chunks on the CPUs or the GPU of this machine: worker processes, each with the model loaded."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait

from batch.chunks import ChunkWorker
from batch.errors import BatchError, WorkerError
from batch.run import Run

__all__ = ["run_processes"]

# The libraries have threads as soon as they are imported, so no process is forked from one that has them.
_PROCESSES = multiprocessing.get_context("spawn")


def run_processes(run: Run, chunks: Sequence[int], attempt: int, workers: int) -> Iterator[int]:
    """Work on chunks in ``workers`` processes and say again and again how many pages more are done.

    A worker that dies is replaced; its chunk stays for the next attempt.

    Raises:
        BatchError: a worker cannot go on, or workers die and no chunk gets done.
    """
    waiting, crew = deque(chunks), list[_Worker]()
    deaths, finished = 0, False
    try:
        while waiting or crew:
            crew += [_Worker(run, attempt) for _ in range(min(workers, len(waiting)) - len(crew))]
            for worker in _with_news(crew):
                try:
                    message = worker.receive(waiting)
                except (EOFError, OSError):
                    crew.remove(worker)
                    deaths += 1
                    if deaths > workers or not (waiting or crew or finished):
                        raise worker.death() from None
                    continue
                if isinstance(message, BatchError):
                    raise message
                if isinstance(message, int):
                    yield message
                    continue
                if worker.asked > 1:
                    deaths, finished = 0, True
                if worker.chunk is None:
                    crew.remove(worker)
                    worker.process.join()
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.join()


class _Worker:
    """A process that asks for a chunk (``None``), reports its pages, and asks for the next."""

    def __init__(self, run: Run, attempt: int) -> None:
        self.connection, theirs = _PROCESSES.Pipe()
        self.process = _PROCESSES.Process(target=_work, args=(run, attempt, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.chunk: int | None = None
        self.asked = 0

    def receive(self, waiting: deque[int]) -> int | BatchError | None:
        """Wait for what the process has to say; if it asks for a chunk, give it the first that waits.

        Raises:
            EOFError, OSError: the process is dead.
        """
        message: int | BatchError | None = self.connection.recv()
        if message is None:
            self.chunk = waiting[0] if waiting else None
            self.connection.send(self.chunk)
            if waiting:
                waiting.popleft()
            self.asked += 1
        return message

    def death(self) -> WorkerError:
        """Say how the process ended, and on what."""
        self.process.join()
        where = "while it started" if self.chunk is None else f"in chunk {self.chunk}"
        return WorkerError(
            f"Worker processes die one after the other, the last {where} (exit code {self.process.exitcode}). "
            "Code -9 is mostly a lack of memory: run the same command again with fewer --workers."
        )


def _with_news(crew: Sequence[_Worker]) -> list[_Worker]:
    readable = wait([worker.connection for worker in crew])
    return [worker for worker in crew if worker.connection in readable]


def _work(run: Run, attempt: int, connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    try:
        worker = ChunkWorker(run)
        connection.send(None)
        while (chunk := connection.recv()) is not None:
            worker.work(chunk, attempt, connection.send)
            connection.send(None)
    except BatchError as error:
        connection.send(error)
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return  # the parent is gone
