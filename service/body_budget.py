"""Limits on request bodies: how many are received at once, how long that may take, and their bytes in memory.

They are separate from the work queue, so that slow clients take no place of others. When room is short, the upload
that has taken longest is rejected for the next one: honest uploads are soon over. None is rejected for a body that
would not fit all the same. Only for the event loop's own thread.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from service.errors import BodyTimeoutError, OverloadedError

__all__ = ["BodyBudget", "Upload"]

_LEAST_TIME_S = 1.0  # before an upload can be rejected for another one
_RETRY_AFTER_S = 1


class BodyBudget:
    """Room for ``places`` uploads, and for ``max_bytes`` of all bodies, those being worked on included."""

    def __init__(self, *, max_bytes: int, timeout_s: float, places: int = 256) -> None:
        self._places = places
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._arriving: dict[Upload, None] = {}
        """The oldest first."""
        self._held_bytes = 0

    @property
    def arriving(self) -> int:
        """How many bodies are being received."""
        return len(self._arriving)

    @contextmanager
    def arrival(self) -> Iterator["Upload"]:
        """Count one body, from before its first byte until it is no longer needed.

        Raises:
            OverloadedError: there is no room, and no slow upload to reject.
        """
        if len(self._arriving) >= self._places:
            oldest = next(self._slow(), None)
            if oldest is None:
                raise OverloadedError(f"{len(self._arriving)} other uploads that are being received", _RETRY_AFTER_S)
            self._give_up(oldest)
        arrival = Upload(self, self._timeout_s)
        self._arriving[arrival] = None
        try:
            yield arrival
        finally:
            self.leave(arrival)
            self._held_bytes -= arrival.held_bytes
            arrival.held_bytes = 0

    def shorten_timeout(self, timeout_s: float) -> None:
        """Give all current and future uploads at most this much time."""
        self._timeout_s = min(self._timeout_s, timeout_s)
        for arrival in self._arriving:
            arrival.shorten_timeout(timeout_s)

    def hold(self, arrival: "Upload", size_bytes: int) -> None:
        """Make room for more bytes of a body.

        Raises:
            OverloadedError: there is no room, and no slow upload to reject.
        """
        if self._held_bytes + size_bytes > self._max_bytes:
            self._make_room(arrival, size_bytes)
        arrival.held_bytes += size_bytes
        self._held_bytes += size_bytes

    def leave(self, arrival: "Upload") -> None:
        """Free the place of an upload that has ended."""
        self._arriving.pop(arrival, None)

    def _make_room(self, arrival: "Upload", size_bytes: int) -> None:
        rest_bytes = max(size_bytes, arrival.expected_bytes - arrival.held_bytes)
        slow = [one for one in self._slow() if one is not arrival and one.held_bytes]
        if self._held_bytes + rest_bytes - sum(one.held_bytes for one in slow) > self._max_bytes:
            raise OverloadedError("other uploads that use all bytes for request bodies", _RETRY_AFTER_S)
        while self._held_bytes + size_bytes > self._max_bytes:
            self._give_up(slow.pop(0))

    def _slow(self) -> Iterator["Upload"]:
        """Uploads that may be rejected, the oldest first."""
        return (one for one in self._arriving if one.age_s >= _LEAST_TIME_S)

    def _give_up(self, arrival: "Upload") -> None:
        arrival.shorten_timeout(0.0)
        self.leave(arrival)
        self._held_bytes -= arrival.held_bytes
        arrival.held_bytes = 0


class Upload:
    """One body."""

    def __init__(self, bodies: BodyBudget, timeout_s: float) -> None:
        self._intake = bodies
        self._began_s = _now_s()
        self._end_s = self._began_s + timeout_s
        self._timer: asyncio.Timeout | None = None
        self.expected_bytes = 0
        """Its announced or largest possible size: others are rejected for all of it or not at all."""
        self.held_bytes = 0

    @property
    def age_s(self) -> float:
        """How long the upload has taken so far."""
        return _now_s() - self._began_s

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Limit the time of the block, which receives the body.

        Raises:
            BodyTimeoutError: it took longer, or was rejected for another upload.
        """
        try:
            async with asyncio.timeout_at(self._end_s) as self._timer:
                yield
        except TimeoutError as error:
            raise BodyTimeoutError(round(self._end_s - self._began_s, 1)) from error
        finally:
            self._timer = None
            self._intake.leave(self)

    def count(self, size_bytes: int) -> None:
        """Count bytes that arrived.

        Raises:
            OverloadedError: there is no room for them.
        """
        self._intake.hold(self, size_bytes)

    def shorten_timeout(self, timeout_s: float) -> None:
        """Bring the timeout forward to ``timeout_s`` from now."""
        self._end_s = min(self._end_s, _now_s() + timeout_s)
        if self._timer is not None and not self._timer.expired():
            self._timer.reschedule(self._end_s)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
