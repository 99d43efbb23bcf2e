"""Limit request bodies: their number while they arrive, their time, and their bytes in memory.

A slow upload takes no place in the work queue. When room is short, the oldest upload is rejected for a new one, if the
new one then fits. Not thread-safe: for the event loop only.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from service.errors import BodyTimeoutError, OverloadedError

__all__ = ["BodyBudget", "Upload"]

_LEAST_TIME_S = 1.0  # younger uploads are not rejected for others
_RETRY_AFTER_S = 1


class BodyBudget:
    """Room for ``places`` uploads, and for ``max_bytes`` of all bodies that arrive or are in work."""

    def __init__(self, *, max_bytes: int, timeout_s: float, places: int = 256) -> None:
        self._places = places
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._arriving: dict[Upload, None] = {}
        """Oldest first."""
        self._held_bytes = 0

    @property
    def arriving(self) -> int:
        """Bodies that are arriving."""
        return len(self._arriving)

    @contextmanager
    def arrival(self) -> Iterator["Upload"]:
        """Count one body in this block; raise `OverloadedError` if there is no room and no old upload to reject."""
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
        """Give all current and later uploads at most this much time."""
        self._timeout_s = min(self._timeout_s, timeout_s)
        for arrival in self._arriving:
            arrival.shorten_timeout(timeout_s)

    def hold(self, arrival: "Upload", size_bytes: int) -> None:
        """Count more bytes of a body; raise `OverloadedError` if there is no room for them."""
        if self._held_bytes + size_bytes > self._max_bytes:
            self._make_room(arrival, size_bytes)
        arrival.held_bytes += size_bytes
        self._held_bytes += size_bytes

    def leave(self, arrival: "Upload") -> None:
        """Free the place of an upload."""
        self._arriving.pop(arrival, None)

    def _make_room(self, arrival: "Upload", size_bytes: int) -> None:
        rest_bytes = max(size_bytes, arrival.expected_bytes - arrival.held_bytes)
        slow = [one for one in self._slow() if one is not arrival and one.held_bytes]
        if self._held_bytes + rest_bytes - sum(one.held_bytes for one in slow) > self._max_bytes:
            raise OverloadedError("other uploads that use all bytes for request bodies", _RETRY_AFTER_S)
        while self._held_bytes + size_bytes > self._max_bytes:
            self._give_up(slow.pop(0))

    def _slow(self) -> Iterator["Upload"]:
        """Return the uploads that may be rejected, oldest first."""
        return (one for one in self._arriving if one.age_s >= _LEAST_TIME_S)

    def _give_up(self, arrival: "Upload") -> None:
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
        """Limit the time of this block, which receives the body; raise `BodyTimeoutError` at its end."""
        try:
            async with asyncio.timeout_at(self._end_s) as self._timer:
                yield
        except TimeoutError as error:
            raise BodyTimeoutError(round(self._end_s - self._began_s, 1)) from error
        finally:
            self._timer = None
            self._bodies.leave(self)

    def count(self, size_bytes: int) -> None:
        """Count bytes that arrived; raise `OverloadedError` if there is no room for them."""
        self._bodies.hold(self, size_bytes)

    def shorten_timeout(self, timeout_s: float) -> None:
        """Bring the timeout forward to ``timeout_s`` from now."""
        self._end_s = min(self._end_s, _now_s() + timeout_s)
        if self._timer is not None and not self._timer.expired():
            self._timer.reschedule(self._end_s)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
