"""Processes that prepare pages, each with an interpreter, and so a lock, of its own.

Know no model, no bundle and no request: each is sent a page and the numbers to read it by, and sends back what it made
of it. Why not threads: docs/decisions/0007-processes.md.
"""

import logging
import mmap
import os
import pickle
import signal
import struct
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from multiprocessing import get_context
from queue import SimpleQueue
from socket import AF_UNIX, SOCK_SEQPACKET, recv_fds, send_fds, socket, socketpair
from weakref import finalize

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
_IDLE, _TAKEN = 0, 1  # the first byte of the memory that both see; the page comes after it, and then the answer
_KEPT_BYTES = 2 * 2**20  # a larger page's memory is given back
_ROOM_BYTES = MAX_PAGE_BYTES + 2**20  # of a page and the numbers to read it by, or of an answer
_LENGTHS = struct.Struct("=QQ")  # a message: of the page and of the numbers, or of the answer and of nothing
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
        # Messages arrive whole or not at all.
        self._socket, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        finalize(self, self._socket.close)  # not in `end`, when a thread may still be waiting there
        self._process = _PROCESSES.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        # Pages and answers go through memory that both see: a socket would copy them twice, in pieces, and wake either
        # side each time.
        with os.fdopen(os.memfd_create("page"), "wb") as shared:
            shared.truncate(1 + _ROOM_BYTES)
            self._memory = mmap.mmap(shared.fileno(), 0)
            send_fds(self._socket, [b"memory"], [shared.fileno()])

    def wait_until_ready(self, longest_s: float) -> None:
        self._wait(longest_s)

    def ask(self, data: bytes, spec: PreprocSpec, longest_s: float) -> _Answer:
        """Have a page prepared.

        Raises:
            EOFError, OSError: it has died, or does not take the page.
            TimeoutError: it took it, and longer than ``longest_s``.
        """
        try:
            return self._ask(data, _packed(spec), longest_s)
        except TimeoutError:
            if self._memory[0] == _IDLE:
                raise EOFError from None
            raise
        except BaseException:
            self._process.kill()  # what it answers later would be taken for the next page's
            raise

    def end(self, within_s: float = 0.0) -> int | None:
        """End it and give its exit status, that of `multiprocessing`: a signal is negative."""
        self._process.join(within_s)
        self._process.kill()
        self._process.join()
        return self._process.exitcode

    def _ask(self, data: bytes, numbers: bytes, longest_s: float) -> _Answer:
        self._memory[0] = _IDLE
        self._memory[1 : 1 + len(data)] = data
        self._memory[1 + len(data) : 1 + len(data) + len(numbers)] = numbers
        self._socket.send(_LENGTHS.pack(len(data), len(numbers)))
        size_bytes = self._wait(longest_s)
        answer: _Answer = pickle.loads(self._memory[1 : 1 + size_bytes])  # noqa: S301 - of a process of ours
        if max(len(data), size_bytes) > _KEPT_BYTES:
            with suppress(OSError):  # where the kernel has no such call, it stays
                self._memory.madvise(mmap.MADV_REMOVE)
        return answer

    def _wait(self, longest_s: float) -> int:
        self._socket.settimeout(longest_s)
        try:
            message = self._socket.recv(_LENGTHS.size)
        except TimeoutError:
            self._process.kill()
            raise
        if not message:
            raise EOFError
        size_bytes, _ = _LENGTHS.unpack(message)
        return int(size_bytes)


def _unreadable(what: str) -> UndecodableImageError:
    return UndecodableImageError(
        found=f"a picture that {what}",
        expected="a picture that can be decoded",
        remedy="Export the report page anew; if that is refused as well, show it to whoever runs this service.",
    )


def _work(asked: socket) -> None:
    """Prepare the pages that come, until the other end of ``asked`` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the service says when it is over
    cv2.setNumThreads(1)
    keep_freed_memory()
    with suppress(ConnectionError):
        _, handed, _, _ = recv_fds(asked, _LENGTHS.size, maxfds=1)
        if not handed:
            return
        memory = mmap.mmap(handed[0], 0)
        os.close(handed[0])
        asked.send(_LENGTHS.pack(0, 0))
        while message := asked.recv(_LENGTHS.size):
            memory[0] = _TAKEN
            page_bytes, numbers_bytes = _LENGTHS.unpack(message)
            page, numbers = memory[1 : 1 + page_bytes], memory[1 + page_bytes : 1 + page_bytes + numbers_bytes]
            answer = _answer(page, _unpacked(numbers))
            memory[1 : 1 + len(answer)] = answer
            asked.send(_LENGTHS.pack(len(answer), 0))


def _answer(data: bytes, spec: PreprocSpec) -> bytes:
    """An `_Answer`, packed."""
    steps, outcome = watch_steps(), _outcome(data, spec)
    answer = pickle.dumps((outcome, steps), pickle.HIGHEST_PROTOCOL)
    if len(answer) > _ROOM_BYTES:
        return pickle.dumps((ValueError(f"a tensor of {spec.tensor_shape}, for which there is no room"), steps))
    return answer


def _outcome(data: bytes, spec: PreprocSpec) -> PreparedPage | Exception:
    try:
        return prepare(data, spec)
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
