"""Worker threads with a bounded queue and cooperative cancellation."""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from threading import Event
from time import perf_counter
from typing import ParamSpec, TypeVar

from service.errors import OverloadedError

__all__ = ["CancelledWorkError", "Workers", "check_cancelled"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LAST_SHARE = 0.1  # weight of the last duration in the mean
_LONGEST_RETRY_S = 60

_cancelled: ContextVar[Event | None] = ContextVar("cancelled", default=None)


class CancelledWorkError(Exception):
    """The client disconnected, or the deadline passed."""


def check_cancelled() -> None:
    """Raise `CancelledWorkError` if the work of this thread was cancelled."""
    cancelled = _cancelled.get()
    if cancelled is not None and cancelled.is_set():
        raise CancelledWorkError


class Workers:
    """Threads, and a queue of ``max_waiting`` calls. Not thread-safe: for the event loop only."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="classify")
        self._threads = threads
        # The pool's own queue would keep the pages of cancelled calls.
        self._free = asyncio.Semaphore(threads)
        self.places = threads + max_waiting
        self._mean_s = 0.0
        self.waiting = 0
        self.working = 0
        """Cancelled calls included."""
        self._running: set[Event] = set()
        """Set one to cancel its call."""

    @property
    def retry_after_s(self) -> int:
        """Estimated time until all waiting calls have started, 1 to 60 s."""
        return max(1, min(_LONGEST_RETRY_S, math.ceil(self._mean_s * (self.waiting + 1) / self._threads)))

    def check_room(self) -> None:
        """Raise `OverloadedError` if the queue is full."""
        taken = self.working + self.waiting
        if taken >= self.places:
            raise OverloadedError(f"a full queue, with {taken} other requests", self.retry_after_s)

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in the next free thread, or raise `OverloadedError`."""
        self.check_room()
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.working += 1
        started_s, loop, cancelled = perf_counter(), asyncio.get_running_loop(), Event()
        self._running.add(cancelled)
        answer: asyncio.Future[_T] = loop.create_future()
        context = copy_context()  # for `service.telemetry.trace`
        context.run(_cancelled.set, cancelled)
        call = self._pool.submit(context.run, partial(function, *args, **kwargs))
        # A cancelled call keeps its thread until it ends.
        call.add_done_callback(lambda call: _tell(loop, self._end, cancelled, perf_counter() - started_s, call, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            cancelled.set()
            call.cancel()
            raise

    def close(self) -> None:
        """Cancel all calls without waiting for them."""
        for cancelled in self._running:
            cancelled.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _end(self, cancelled: Event, duration_s: float, call: Future[_T], answer: asyncio.Future[_T]) -> None:
        self._running.remove(cancelled)
        self.working -= 1
        self._mean_s += (duration_s - self._mean_s) * (_LAST_SHARE if self._mean_s else 1.0)
        self._free.release()
        if answer.done() or call.cancelled():
            answer.cancel()
        elif error := call.exception():
            answer.set_exception(error)
        else:
            answer.set_result(call.result())


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
    with suppress(RuntimeError):  # the loop is closed: the process ends
        loop.call_soon_threadsafe(partial(function, *args, **kwargs))
