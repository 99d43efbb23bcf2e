"""Processes that prepare pages, each with an interpreter, and so a lock, of its own.

Know no model, no bundle and no request: each is sent a page and the numbers to read it by, and sends back what it made
of it. Why not threads: docs/decisions/0007-processes.md.
"""

import logging
import pickle
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue

import cv2

from service.allocator import keep_freed_memory
from service.clock import Step, tell_steps, watch_steps
from service.prepared import PreparedPage, prepare
from shared_preproc.spec import PreprocSpec

__all__ = ["PageProcesses"]

# Fresh interpreters: copies of this one would have its locks but not its threads.
_PROCESSES = get_context("spawn")
_END_S = 5.0
_SPECS = 8  # that are kept unpacked: the bundles that are served at once have one or two

_Answer = tuple[PreparedPage | Exception, Sequence[Step]]

logger = logging.getLogger(__name__)


class PageProcesses:
    """``count`` processes, to be used from as many threads. They end with this process, however it ends."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: SimpleQueue[_PageProcess] = SimpleQueue()

    def start(self) -> None:
        """Start them, and wait until all are ready."""
        started = [_PageProcess() for _ in range(self.count)]
        for process in started:
            process.wait_until_ready()
            self._idle.put(process)

    def prepare(self, data: bytes, spec: PreprocSpec) -> PreparedPage:
        """Do `service.prepared.prepare` in the next process that is idle.

        A process that has died is replaced, and its page tried once more.

        Raises:
            PreprocError: as there.
            EOFError, OSError: the page's second process has died as well.
        """
        process = self._idle.get()
        try:
            try:
                outcome, steps = process.ask(data, spec)
            except (EOFError, OSError):
                logger.warning("page_process_died", extra={"fields": {"exit_code": process.end()}})
                process = _PageProcess()
                process.wait_until_ready()
                outcome, steps = process.ask(data, spec)
        finally:
            self._idle.put(process)
        tell_steps(steps)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        """End them; nothing may be prepared any more."""
        while not self._idle.empty():
            self._idle.get().end()


class _PageProcess:
    def __init__(self) -> None:
        self._pipe, theirs = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        self._pipe.recv_bytes()

    def ask(self, data: bytes, spec: PreprocSpec) -> _Answer:
        self._pipe.send_bytes(_packed(spec))
        self._pipe.send_bytes(data)
        answer: _Answer = self._pipe.recv()
        return answer

    def end(self) -> int | None:
        """End it and give its exit status, that of `multiprocessing`: a signal is negative."""
        self._pipe.close()  # which it takes for the end
        self._process.join(_END_S)
        self._process.kill()
        self._process.join()
        return self._process.exitcode


def _work(pipe: Connection) -> None:
    """Prepare the pages that come through ``pipe``, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the service says when it is over
    cv2.setNumThreads(1)
    keep_freed_memory()
    with suppress(EOFError, ConnectionError):
        pipe.send_bytes(b"ready")
        while True:
            spec = _unpacked(pipe.recv_bytes())
            steps = watch_steps()
            outcome = _outcome(prepare, pipe.recv_bytes(), spec)
            pipe.send((outcome, steps))


def _outcome(
    work: Callable[[bytes, PreprocSpec], PreparedPage], data: bytes, spec: PreprocSpec
) -> PreparedPage | Exception:
    try:
        return work(data, spec)
    except Exception as error:  # noqa: BLE001 - raised again where it is awaited
        error.add_note(traceback.format_exc())  # which is not sent otherwise
        return error


@lru_cache(_SPECS)
def _packed(spec: PreprocSpec) -> bytes:
    return pickle.dumps(spec)


@lru_cache(_SPECS)
def _unpacked(packed: bytes) -> PreprocSpec:
    spec: PreprocSpec = pickle.loads(packed)  # noqa: S301 - from the process that started this one
    return spec
