"""The way of every request that brings a page: its body received, a thread waited for, the work done, all in time.

Knows neither what a body holds nor what is done with it. A request whose client has gone, or whose time is up, is
dropped as long as its work has not begun.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request

from service.errors import ClientGoneError, DeadlineExceededError
from service.intake import Arrival, Intake
from service.workers import Workers

__all__ = ["Admission"]

_T = TypeVar("_T")
_Answer = TypeVar("_Answer")


class Admission:
    """What admits requests: room to receive them, threads to work on them, and the time that each may take."""

    def __init__(self, intake: Intake, workers: Workers, *, deadline_s: float) -> None:
        self.intake = intake
        self.workers = workers
        self._deadline_s = deadline_s

    async def serve(
        self,
        request: Request,
        read: Callable[[Request, Arrival], Awaitable[bytes]],
        work: Callable[[bytes], _T],
        give: Callable[[bytes, Callable[[], Awaitable[_T]]], Coroutine[Any, Any, _Answer]],
        *,
        deadline_ms: int | None = None,
    ) -> _Answer:
        """Receive a request's body with ``read`` and have ``work`` called on it in a thread.

        ``give`` gets the body, and what has the work done and gives its result; what it makes of that is the answer.
        ``deadline_ms`` from now on there has to be an answer, if that is sooner than is due anyway.

        Raises:
            ServiceError: there is no room, the body cannot be used, the time is up, or the client has gone.
        """
        deadline_s = self._deadline_s if deadline_ms is None else min(self._deadline_s, deadline_ms / 1000)
        async with _deadline(deadline_s):
            with self.intake.arrival() as arrival:
                async with arrival.receiving():
                    body = await read(request, arrival)
                return await _unless_gone(request, give(body, partial(self.workers.run, work, body)))


@asynccontextmanager
async def _deadline(deadline_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline_s) as timer:
            yield
    except TimeoutError as error:
        if not timer.expired():
            raise  # a fault of the work's own
        raise DeadlineExceededError(deadline_s) from error


async def _unless_gone(request: Request, work: Awaitable[_T]) -> _T:
    """Await work, or cancel it when the client closes the connection."""
    try:
        async with asyncio.timeout(None) as patience:
            watching = asyncio.create_task(_watch(request, patience))
            try:
                return await work
            finally:
                watching.cancel()
    except TimeoutError as error:
        if not patience.expired():
            raise  # a fault of the work's own
        raise ClientGoneError from error


async def _watch(request: Request, patience: asyncio.Timeout) -> None:
    """End it when the client has closed the connection; the body has been read, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    patience.reschedule(0.0)
