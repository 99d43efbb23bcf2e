"""Processes that prepare pages, each with an interpreter, and so a lock, of its own.

Know no model, no bundle and no request: each is sent a page and the numbers to read it by, and sends back what it made
of it. Why not threads: docs/decisions/0007-processes.md.
"""

import logging
import mmap
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from queue import SimpleQueue

import cv2

from service.allocator import keep_freed_memory
from service.clock import Step, tell_steps, watch_steps
from service.prepared import PreparedPage, prepare
from shared_preproc.errors import UndecodableImageError
from shared_preproc.page import MAX_PAGE_BYTES
from shared_preproc.spec import PreprocSpec

__all__ = ["PageProcesses"]

# Fresh interpreters: copies of this one would have its locks but not its threads.
_PROCESSES = get_context("spawn")
_END_S = 1.0
"""For a process that closed its end to be gone."""
_TRIES = 2
_IDLE, _TAKEN = 0, 1  # the first byte of the memory that both see; the page comes after it
_KEPT_BYTES = 2 * 2**20  # a larger page's memory is given back
_SPECS = 8  # that are kept unpacked: the bundles that are served at once have one or two

_Answer = tuple[PreparedPage | Exception, Sequence[Step]]

logger = logging.getLogger(__name__)


class PageProcesses:
    """``count`` processes, to be used from as many threads. They end with this process, however it ends.

    One that has had a page for ``longest_s`` is ended: it would hold its thread for ever.
    """

    def __init__(self, count: int, *, longest_s: float = 30.0) -> None:
        self.count = count
        self._longest_s = longest_s
        self._all: set[_PageProcess] = set()
        self._idle: SimpleQueue[_PageProcess] = SimpleQueue()

    def start(self) -> None:
        """Start them, and wait until all are ready."""
        self._all.update(_PageProcess() for _ in range(self.count))
        for process in self._all:
            process.wait_until_ready(self._longest_s)
            self._idle.put(process)

    def prepare(self, data: bytes, spec: PreprocSpec) -> PreparedPage:
        """Do `service.prepared.prepare` in the next process that is idle.

        A process that has died, or does not take the page, is replaced, and the page tried once more.

        Raises:
            PreprocError: as there; or a second process has died of the page, or one took too long.
        """
        if len(data) > MAX_PAGE_BYTES:
            return prepare(data, spec)  # which refuses it at once
        process = self._idle.get()
        try:
            for _ in range(_TRIES):
                try:
                    outcome, steps = process.ask(data, spec, self._longest_s)
                    break
                except TimeoutError as error:
                    process = self._successor(process)
                    raise _unreadable(f"took the decoder more than {self._longest_s:g} s") from error
                except (EOFError, OSError):
                    process = self._successor(process)
            else:
                raise _unreadable("broke the decoder")
        finally:
            self._idle.put(process)
        tell_steps(steps)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        """End them, whatever they are at; nothing may be prepared any more."""
        while self._all:
            self._all.pop().end()

    def _successor(self, process: "_PageProcess") -> "_PageProcess":
        if process not in self._all:
            raise EOFError("closed")  # and nobody waits for the page
        logger.warning("page_process_died", extra={"fields": {"exit_code": process.end(_END_S)}})
        successor = _PageProcess()
        self._all.add(successor)
        try:
            successor.wait_until_ready(self._longest_s)
        except BaseException:
            self._all.discard(successor)
            successor.end()
            raise
        self._all.discard(process)
        return successor


class _PageProcess:
    def __init__(self) -> None:
        self._pipe, theirs = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        # A page goes through memory that both see: a socket would copy it twice, in pieces, and wake either each time.
        with os.fdopen(os.memfd_create("page"), "wb") as shared:
            shared.truncate(1 + MAX_PAGE_BYTES)
            self._page = mmap.mmap(shared.fileno(), 0)
            send_handle(self._pipe, shared.fileno(), self._process.pid)

    def wait_until_ready(self, longest_s: float) -> None:
        self._wait(longest_s)
        self._pipe.recv_bytes()

    def ask(self, data: bytes, spec: PreprocSpec, longest_s: float) -> _Answer:
        """Have a page prepared.

        Raises:
            EOFError, OSError: it has died, or does not take the page.
            TimeoutError: it took it, and longer than ``longest_s``.
        """
        self._page[0] = _IDLE
        self._page[1 : 1 + len(data)] = data
        self._pipe.send((len(data), _packed(spec)))
        try:
            self._wait(longest_s)
        except TimeoutError:
            if self._page[0] == _IDLE:
                raise EOFError from None
            raise
        answer: _Answer = self._pipe.recv()
        if len(data) > _KEPT_BYTES:
            with suppress(OSError):  # where the kernel has no such call, it stays
                self._page.madvise(mmap.MADV_REMOVE)
        return answer

    def end(self, within_s: float = 0.0) -> int | None:
        """End it and give its exit status, that of `multiprocessing`: a signal is negative."""
        self._process.join(within_s)
        self._process.kill()
        self._process.join()
        return self._process.exitcode

    def _wait(self, longest_s: float) -> None:
        if not self._pipe.poll(longest_s):
            self._process.kill()
            raise TimeoutError


def _unreadable(what: str) -> UndecodableImageError:
    return UndecodableImageError(
        found=f"a picture that {what}",
        expected="a picture that can be decoded",
        remedy="Export the report page anew; if that is refused as well, show it to whoever runs this service.",
    )


def _work(pipe: Connection) -> None:
    """Prepare the pages that come through ``pipe``, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the service says when it is over
    cv2.setNumThreads(1)
    keep_freed_memory()
    with suppress(EOFError, ConnectionError):
        with os.fdopen(recv_handle(pipe), "rb") as shared:
            page = mmap.mmap(shared.fileno(), 0)
        pipe.send_bytes(b"ready")
        while True:
            size_bytes, packed = pipe.recv()
            page[0] = _TAKEN
            spec, steps = _unpacked(packed), watch_steps()
            outcome = _outcome(prepare, page[1 : 1 + size_bytes], spec)
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
