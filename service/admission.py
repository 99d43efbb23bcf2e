"""Admission control: limit the memory and the time of requests with a body.

Without room, the oldest upload is rejected for a new one that then fits. Not thread-safe: for the event loop only.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from starlette.requests import Request

from service.errors import BodyTimeoutError, ClientGoneError, DeadlineExceededError, OverloadedError

__all__ = ["Admission", "BodyBudget", "Upload"]

_LEAST_TIME_S = 1.0  # younger uploads are not rejected for others
_RETRY_AFTER_S = 1


class _ReadBody(Protocol):
    def __call__(self, request: Request, arrival: "Upload", *, max_body_bytes: int) -> Awaitable[bytes]: ...


class Admission:
    """Admit requests; ``read`` reads their bodies."""

    def __init__(self, bodies: "BodyBudget", *, deadline_s: float, max_body_bytes: int, read: _ReadBody) -> None:
        self.bodies = bodies
        self._deadline_s = deadline_s
        self._max_body_bytes = max_body_bytes
        self._read = read

    @asynccontextmanager
    async def slot(
        self, request: Request, *, deadline_ms: int | None = None, read: _ReadBody | None = None
    ) -> AsyncIterator[bytes]:
        """Receive the body, and cancel the block at the deadline or when the client disconnects.

        ``deadline_ms`` is the client's own limit; ``read`` replaces the reader of bodies.

        Raises:
            ServiceError: there is no room, the body is invalid, the deadline passed, or the client disconnected.
        """
        deadline_s = self._deadline_s if deadline_ms is None else min(self._deadline_s, deadline_ms / 1000)
        async with _deadline(deadline_s):
            with self.bodies.arrival() as arrival:
                async with arrival.receiving():
                    body = await (read or self._read)(request, arrival, max_body_bytes=self._max_body_bytes)
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
    """Let ``timer`` expire when the client disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    timer.reschedule(0.0)


class BodyBudget:
    """Room for ``places`` uploads, and for ``max_bytes`` of bodies that arrive or are in work."""

    def __init__(self, *, max_bytes: int, timeout_s: float, places: int = 256) -> None:
        self._places = places
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._arriving: dict[Upload, None] = {}
        """Oldest first."""
        self._held_bytes = 0

    @property
    def arriving(self) -> int:
        """Number of uploads."""
        return len(self._arriving)

    @contextmanager
    def arrival(self) -> Iterator["Upload"]:
        """Count one body during this block, or raise `OverloadedError`."""
        if len(self._arriving) >= self._places:
            oldest = next(self._old(), None)
            if oldest is None:
                raise OverloadedError(f"{len(self._arriving)} other uploads that are being received", _RETRY_AFTER_S)
            self._reject(oldest)
        arrival = Upload(self, self._timeout_s)
        self._arriving[arrival] = None
        try:
            yield arrival
        finally:
            self.leave(arrival)
            self._held_bytes -= arrival.held_bytes
            arrival.held_bytes = 0

    def shorten_timeout(self, timeout_s: float) -> None:
        """Limit current and later uploads to this time."""
        self._timeout_s = min(self._timeout_s, timeout_s)
        for arrival in self._arriving:
            arrival.shorten_timeout(timeout_s)

    def hold(self, arrival: "Upload", size_bytes: int) -> None:
        """Count more bytes of a body, or raise `OverloadedError`."""
        if self._held_bytes + size_bytes > self._max_bytes:
            self._make_room(arrival, size_bytes)
        arrival.held_bytes += size_bytes
        self._held_bytes += size_bytes

    def leave(self, arrival: "Upload") -> None:
        """Free the place of an upload."""
        self._arriving.pop(arrival, None)

    def _make_room(self, arrival: "Upload", size_bytes: int) -> None:
        rest_bytes = max(size_bytes, arrival.expected_bytes - arrival.held_bytes)
        old = [one for one in self._old() if one is not arrival and one.held_bytes]
        if self._held_bytes + rest_bytes - sum(one.held_bytes for one in old) > self._max_bytes:
            raise OverloadedError("other uploads that use all bytes for request bodies", _RETRY_AFTER_S)
        while self._held_bytes + size_bytes > self._max_bytes:
            self._reject(old.pop(0))

    def _old(self) -> Iterator["Upload"]:
        return (one for one in self._arriving if one.age_s >= _LEAST_TIME_S)

    def _reject(self, arrival: "Upload") -> None:
        arrival.shorten_timeout(0.0)
        self.leave(arrival)
        self._held_bytes -= arrival.held_bytes
        arrival.held_bytes = 0


class Upload:
    """One arriving body."""

    def __init__(self, bodies: BodyBudget, timeout_s: float) -> None:
        self._bodies = bodies
        self._began_s = _now_s()
        self._end_s = self._began_s + timeout_s
        self._timer: asyncio.Timeout | None = None
        self.expected_bytes = 0
        """Its announced size, or the largest allowed."""
        self.held_bytes = 0

    @property
    def age_s(self) -> float:
        """Seconds since the first byte."""
        return _now_s() - self._began_s

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Raise `BodyTimeoutError` if this block, which receives the body, takes too long."""
        try:
            async with asyncio.timeout_at(self._end_s) as self._timer:
                yield
        except TimeoutError as error:
            raise BodyTimeoutError(round(self._end_s - self._began_s, 1)) from error
        finally:
            self._timer = None
            self._bodies.leave(self)

    def count(self, size_bytes: int) -> None:
        """Count bytes that arrived, or raise `OverloadedError`."""
        self._bodies.hold(self, size_bytes)

    def shorten_timeout(self, timeout_s: float) -> None:
        """Bring the timeout forward to ``timeout_s`` from now."""
        self._end_s = min(self._end_s, _now_s() + timeout_s)
        if self._timer is not None and not self._timer.expired():
            self._timer.reschedule(self._end_s)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
