"""Worker threads with a bounded queue. Only for the event loop's own thread."""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Event
from time import perf_counter
from typing import ParamSpec, TypeVar

from service.cancellation import run_cancellable
from service.errors import OverloadedError

__all__ = ["Workers"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LAST_SHARE = 0.1  # of the last duration in the mean: about the last ten count
_LONGEST_RETRY_S = 60


class Workers:
    """``threads`` threads, and a queue of ``max_waiting`` calls.

    The queue is not the pool's own, which keeps a cancelled call, with all it holds, until a thread is free.
    """

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="classify")
        self._threads = threads
        self._free = asyncio.Semaphore(threads)
        self.places = threads + max_waiting
        """Calls that can wait or run."""
        self._mean_s = 0.0
        self.waiting = 0
        """Calls that wait for a thread."""
        self.working = 0
        """Calls that run, cancelled ones included."""
        self._begun: set[Event] = set()
        """Set for each of these that is cancelled."""

    @property
    def retry_after_s(self) -> int:
        """Seconds in which all calls that wait now will have begun: 1 to 60."""
        return max(1, min(_LONGEST_RETRY_S, math.ceil(self._mean_s * (self.waiting + 1) / self._threads)))

    def check_room(self) -> None:
        """Check that the queue is not full.

        Raises:
            OverloadedError: the queue is full.
        """
        taken = self.working + self.waiting
        if taken >= self.places:
            raise OverloadedError(f"a full queue, with {taken} other requests", self.retry_after_s)

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in a thread as soon as one is free, unless the caller is cancelled before.

        A function that runs is told of a later cancellation by `service.cancellation`.

        Raises:
            OverloadedError: the queue is full.
        """
        self.check_room()
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.working += 1
        started_s, loop, given_up = perf_counter(), asyncio.get_running_loop(), Event()
        self._begun.add(given_up)
        work = partial(function, *args, **kwargs)
        answer: asyncio.Future[_T] = loop.create_future()
        call = self._pool.submit(
            copy_context().run, run_cancellable, given_up, work
        )  # `service.telemetry.timing` knows whose work it is
        # When the thread is free: a cancelled caller leaves it working.
        call.add_done_callback(lambda call: _tell(loop, self._end, given_up, perf_counter() - started_s, call, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            given_up.set()
            call.cancel()
            raise

    def close(self) -> None:
        """Drop calls that wait, and cancel those that run without waiting for their end."""
        for given_up in self._begun:
            given_up.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _end(self, given_up: Event, duration_s: float, call: Future[_T], answer: asyncio.Future[_T]) -> None:
        self._begun.remove(given_up)
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
    with suppress(RuntimeError):  # the loop is closed: the process is about to end
        loop.call_soon_threadsafe(partial(function, *args, **kwargs))
