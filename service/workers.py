"""Threads for what would block the event loop, and a limit on how much may wait for them. Knows no task."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from service.errors import OverloadedError

__all__ = ["Workers"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Workers:
    """A pool of ``threads`` threads with at most ``max_waiting`` calls in its queue."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="classify")
        self._threads = threads
        self._max_waiting = max_waiting
        self._pending = 0

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in a thread, as soon as one is free. Only from the event loop's own thread.

        Raises:
            OverloadedError: the queue is full.
        """
        if self._pending >= self._threads + self._max_waiting:
            raise OverloadedError(self._pending - self._threads)
        self._pending += 1
        future = self._pool.submit(function, *args, **kwargs)
        loop = asyncio.get_running_loop()
        # Counted until the thread is done, not until the caller has gone: a thread cannot be interrupted.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._forget))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits and wait for what runs."""
        self._pool.shutdown(cancel_futures=True)

    def _forget(self) -> None:
        self._pending -= 1
