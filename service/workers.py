"""Threads for what would block the event loop, and a limit on how many requests are in hand. Knows no task."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from service.errors import OverloadedError

__all__ = ["Workers"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Workers:
    """A pool of ``threads`` threads, with a place for one request on each and for ``max_waiting`` more.

    Only for the event loop's own thread.
    """

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="classify")
        self._places = threads + max_waiting
        self._taken = 0
        self._submitted: set[Future[Any]] = set()

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place. Take it before reading a body: places are what bounds the memory that bodies fill.

        Raises:
            OverloadedError: every place is taken.
        """
        if self._taken >= self._places:
            raise OverloadedError(self._places)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in a thread, as soon as one is free; not at all if the caller is cancelled before that."""
        future = self._pool.submit(function, *args, **kwargs)
        self._submitted.add(future)
        future.add_done_callback(self._submitted.discard)
        return await asyncio.wrap_future(future)

    @property
    def places(self) -> int:
        """How many requests can be in hand."""
        return self._places

    @property
    def in_hand(self) -> int:
        """How many are."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many of those wait for a thread."""
        return sum(not (future.running() or future.done()) for future in tuple(self._submitted))

    def close(self) -> None:
        """Drop what waits and wait for what runs."""
        self._pool.shutdown(cancel_futures=True)
