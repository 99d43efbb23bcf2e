"""HTTP/1.1 as uvicorn speaks it, but a client has only so long to ask and to listen. Knows no route.

uvicorn waits for ever for the second half of a request's head, for what is left of a body that was refused, and for
who does not read an answer. It takes as many connections as come.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http import h11_impl
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.connections import Connections

__all__ = ["PatientProtocol"]

_MOST_HEAD_BYTES = 64 * 2**10
_SMALL_BYTES = 256
_MOST_SMALL_CHUNKS = 1024  # of a body: 15 ms of parsing, in which the event loop does nothing else

# What asyncio reads at once. With less, uvicorn stops reading after almost every piece of a page, and begins again.
h11_impl.HIGH_WATER_LIMIT = 256 * 2**10  # type: ignore[attr-defined] # uvicorn has no setting for it


class _BoundedParser(h11.Connection):
    """Takes only so many small chunks of a body: of one byte each, half a megabyte a second keeps a core busy."""

    _small_chunks = 0
    rest_bytes = 0
    """What is still to come of a body whose size was announced."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.rest_bytes = int(next((value for name, value in event.headers if name == b"content-length"), 0))
        elif isinstance(event, h11.Data) and self.rest_bytes:
            self.rest_bytes -= len(event.data)
        elif isinstance(event, h11.Data) and event.chunk_start and event.chunk_end and len(event.data) < _SMALL_BYTES:
            self._small_chunks += 1
            if self._small_chunks > _MOST_SMALL_CHUNKS:
                raise h11.RemoteProtocolError("too many small chunks")
        return event

    def start_next_cycle(self) -> None:
        super().start_next_cycle()
        self._small_chunks = 0


class PatientProtocol(H11Protocol):
    """Closes a connection on which no head of a request is complete ``head_timeout_s`` after its first bytes.

    For the first request the clock starts with the connection; between requests uvicorn's `timeout_keep_alive` holds.
    It is closed as well when an answer waits, and ``answer_timeout_s`` long nothing of it is read.
    """

    conn: _BoundedParser

    def __init__(
        self,
        *,
        head_timeout_s: float,
        answer_timeout_s: float,
        **of_uvicorn: Any,  # noqa: ANN401 - uvicorn's own arguments
    ) -> None:
        super().__init__(**of_uvicorn)
        self.conn = _BoundedParser(h11.SERVER, _MOST_HEAD_BYTES)
        self._room: Connections = self.app_state["service"].connections
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timeout_s = answer_timeout_s
        self._answer_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in H11Protocol
        """Start the clock."""
        super().connection_made(transport)
        self._watch_head()
        self._room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        super().connection_lost(exc)
        self._stop_clock()
        self.resume_writing()
        self._room.leave(self)

    def data_received(self, data: bytes) -> None:
        """Start the clock, or stop it if a request has begun."""
        if self.conn.our_state is h11.DONE and self.conn.rest_bytes:
            data = self._without_rest_of_refused(data)
        if data:
            super().data_received(data)
        self._watch_head()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def close(self) -> None:
        """End the connection, and not only once its client has read what it was sent, which may be never."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """More of an answer waits than is kept: start the clock of who does not read it."""
        super().pause_writing()
        self._answer_timer = self.loop.call_later(self._answer_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It was read, or nobody is there who could."""
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def on_response_complete(self) -> None:
        """Note it, and wait for the next request."""
        self._room.answered(self)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; whoever is at work on the request's head is told that the client has gone.

        Otherwise its answer would come after this one, and fail, with a traceback that any client could ask for.
        """
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer is on its way already
            self.transport.close()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _without_rest_of_refused(self, data: bytes) -> bytes:
        """Drop what comes of a body that nobody reads any more, and give what comes after it.

        The parser would copy it twice, and at twice the load every second body is refused.
        """
        rest_bytes = self.conn.rest_bytes
        self.conn.rest_bytes = max(0, rest_bytes - len(data))
        if not self.conn.rest_bytes:
            self.conn = _BoundedParser(h11.SERVER, _MOST_HEAD_BYTES)
        return data[rest_bytes:]

    def _watch_head(self) -> None:
        if not self.is_waiting:
            self._stop_clock()
        elif self.cycle is not None and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self._stop_clock()
            self._wait_for_next_request()
        elif self._head_timer is None:  # not started anew: bytes that trickle buy no time
            self._head_timer = self.loop.call_later(self._head_timeout_s, self.transport.close)

    def _wait_for_next_request(self) -> None:
        """Start uvicorn's clock again: the end of a body that was refused half way has stopped it."""
        if self.timeout_keep_alive_task is None and not self.transport.is_closing():
            seconds, close = self.timeout_keep_alive, self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(seconds, close)

    def _stop_clock(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
