"""Admission control: receive the body, and cancel the work at the deadline or when the client disconnects."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.requests import Request

from service.body_budget import BodyBudget, Upload
from service.errors import ClientGoneError, DeadlineExceededError
from service.upload import read_upload

__all__ = ["Admission"]


class _ReadBody(Protocol):
    def __call__(self, request: Request, arrival: Upload, *, max_body_bytes: int) -> Awaitable[bytes]: ...


class Admission:
    """Limits on requests with a body: memory and time."""

    def __init__(self, bodies: BodyBudget, *, deadline_s: float, max_body_bytes: int) -> None:
        self.bodies = bodies
        self._deadline_s = deadline_s
        self._max_body_bytes = max_body_bytes

    @asynccontextmanager
    async def slot(
        self, request: Request, *, deadline_ms: int | None = None, read: _ReadBody = read_upload
    ) -> AsyncIterator[bytes]:
        """Receive the body, and cancel the block at the deadline or when the client disconnects.

        Args:
            request: The request.
            deadline_ms: The client's limit; the service's own holds as well.
            read: Reads the body, by default as one page.

        Raises:
            ServiceError: there is no room, the body is invalid, the deadline passed, or the client disconnected.
        """
        deadline_s = self._deadline_s if deadline_ms is None else min(self._deadline_s, deadline_ms / 1000)
        async with _deadline(deadline_s):
            with self.bodies.arrival() as arrival:
                async with arrival.receiving():
                    body = await read(request, arrival, max_body_bytes=self._max_body_bytes)
                async with _until_disconnect(request):
                    yield body


@asynccontextmanager
async def _deadline(deadline_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline_s) as timer:
            yield
    except TimeoutError as error:
        if not timer.expired():
            raise  # it comes from the work
        raise DeadlineExceededError(deadline_s) from error


@asynccontextmanager
async def _until_disconnect(request: Request) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(None) as timer:
            watching = asyncio.create_task(_watch(request, timer))
            try:
                yield
            finally:
                watching.cancel()
    except TimeoutError as error:
        if not timer.expired():
            raise  # it comes from the work
        raise ClientGoneError from error


async def _watch(request: Request, timer: asyncio.Timeout) -> None:
    """Let ``timer`` expire at a disconnect; the body is read, so no other message follows."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    timer.reschedule(0.0)
