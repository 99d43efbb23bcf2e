"""HTTP/1.1 by uvicorn and h11, with limits on time, connections, header fields and small chunks."""

import asyncio
import os
import re
import resource
import socket
from collections import OrderedDict
from typing import Any, Protocol

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from service.errors import MalformedHttpError, StartupError
from service.problems import refuse

__all__ = [
    "ACCEPTED_AT_ONCE",
    "BACKLOG",
    "HEARING",
    "Connections",
    "TimeoutH11Protocol",
    "check_uvicorn",
    "connections_within",
]

HEARING = "hearing"
"""Key in ``scope["state"]``: only the rest of the body is awaited."""

BACKLOG = 256
"""Connections that wait in the kernel."""
ACCEPTED_AT_ONCE = 16
"""Connections accepted in one turn of the event loop."""

_HEAD_BYTES = 64 * 2**10
_HEAD_END = re.compile(rb"\n\r?\n")  # where h11 sees it
_MAX_LINES = 102  # 100 fields, the request line, the empty line
_MAX_CHUNKS = 4096  # of a body, and one more for each KiB
_CHUNK_BYTES = 1024
_READ_BYTES = 256 * 2**10
_SEND_BUFFER_BYTES = 128 * 2**10  # by default megabytes, even for a client that does not read
_UNREAD_S = 1.0
"""After this, a client that reads nothing makes room for another."""

_FROM_UVICORN = {
    *("app_state", "conn", "cycle", "flow", "loop", "timeout_keep_alive", "timeout_keep_alive_task", "transport"),
    *("_should_upgrade", "data_received", "on_response_complete", "send_400_response", "timeout_keep_alive_handler"),
    *("body", "disconnected", "message_event", "response_complete", "scope"),
}


def check_uvicorn() -> None:
    """Raise `StartupError` if uvicorn lacks a private name used here."""
    inits = (H11Protocol.__init__, RequestResponseCycle.__init__)
    known = {*dir(H11Protocol), *(name for init in inits for name in init.__code__.co_names)}
    if missing := _FROM_UVICORN - known:
        raise StartupError(
            f"uvicorn {uvicorn.__version__} lacks {', '.join(sorted(missing))}. "
            "Install a version that this package's dependencies allow."
        )


class TimeoutH11Protocol(H11Protocol):
    """uvicorn's protocol with more timeouts.

    `header_timeout_s` limits each head, and the rest of a body after its response; `body_timeout_s` limits reading it.
    """

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401
        super().__init__(**arguments)
        service = self.app_state["service"]
        self._connections: Connections = service.connections
        self._head_timeout_s: float = service.settings.header_timeout_s
        self._answer_timeout_s: float = service.settings.body_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._unread_since_s: float | None = None
        self._wake_bytes = 1
        self.conn: BoundedConnection = BoundedConnection()

    @property
    def is_waiting(self) -> bool:
        """Whether it may be closed for another."""
        if self._unread_since_s is not None:
            return self.loop.time() - self._unread_since_s > _UNREAD_S
        return self.cycle is None or self.cycle.response_complete or HEARING in self.cycle.scope["state"]

    def close(self) -> None:
        """Close at once, and drop unread data."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the first timeout."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # `pause_writing` at once
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._watch_head()
        self._connections.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timeouts."""
        super().connection_lost(exc)
        _cancel(self.timeout_keep_alive_task)  # uvicorn leaves it running after a reset
        _cancel(self._head_timer)
        _cancel(self._answer_timer)
        self._connections.leave(self)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes."""
        super().data_received(data)
        self._watch_head()
        self._wake_at(min(self.conn.body_bytes_left, _READ_BYTES) or 1)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.cycle.body.clear()
        self._connections.answered(self)
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        """Start the timeout for reading the response."""
        super().pause_writing()
        self._unread_since_s = self.loop.time()
        self._answer_timer = self.loop.call_later(self._answer_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it."""
        super().resume_writing()
        self._unread_since_s = None
        _cancel(self._answer_timer)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Reject malformed HTTP, unless a response has begun."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            request_id = os.urandom(16).hex()
            response = refuse(MalformedHttpError(self.conn.rejection), request_id)
            headers = [*response.raw_headers, (b"x-request-id", request_id.encode()), (b"connection", b"close")]
            self._send(h11.Response(status_code=response.status_code, headers=headers))
            self._send(h11.Data(data=bytes(response.body)))
            self._send(h11.EndOfMessage())
        self.transport.close()
        if self.cycle is not None:  # its response must not follow this one
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _send(self, event: Any) -> None:  # noqa: ANN401
        self.transport.write(self.conn.send(event))

    def _should_upgrade(self) -> bool:
        """Ignore `Upgrade`; uvicorn would log advice."""
        return False

    def _watch_head(self) -> None:
        """Run the timeout that the connection is in, if any."""
        if not self.is_waiting:
            _cancel(self._head_timer)
        elif self.cycle is not None and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            _cancel(self._head_timer)
            if self.timeout_keep_alive_task is None and not self.transport.is_closing():
                seconds, close = self.timeout_keep_alive, self.timeout_keep_alive_handler
                self.timeout_keep_alive_task = self.loop.call_later(seconds, close)
        elif self._head_timer is None or self._head_timer.cancelled():  # slow bytes must not restart it
            self._head_timer = self.loop.call_later(self._head_timeout_s, self.transport.close)

    def _wake_at(self, size_bytes: int) -> None:
        """Let the kernel report this many bytes at once (SO_RCVLOWAT, socket(7))."""
        if size_bytes != self._wake_bytes:
            self._wake_bytes = size_bytes
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


class BoundedConnection(h11.Connection):
    """h11's connection with limits on fields and small chunks, which would block the event loop."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, _HEAD_BYTES)
        self.body_bytes_left = 0
        """Of a body with Content-Length."""
        self.rejection = "bytes that are no HTTP/1.1 request"
        self._head = b""
        """Of a response whose body has not begun."""
        self._chunks = 0
        self._body_bytes = 0

    def next_event(self) -> Any:  # noqa: ANN401
        """Return the next part of a request, or raise `RemoteProtocolError`."""
        if self.their_state is h11.IDLE:
            self._check_head()
        event = super().next_event()
        if isinstance(event, h11.Request):
            fields = dict(event.headers)
            if b"transfer-encoding" in fields and b"content-length" in fields:  # request smuggling
                raise self._rejected("a request with Content-Length and Transfer-Encoding")
            self.body_bytes_left = int(fields.get(b"content-length", 0))
            self._chunks = self._body_bytes = 0
        elif isinstance(event, h11.Data):
            self.body_bytes_left = max(0, self.body_bytes_left - len(event.data))
            self._chunks += bool(event.chunk_start)
            self._body_bytes += len(event.data)
            if self._chunks > _MAX_CHUNKS + self._body_bytes // _CHUNK_BYTES:
                raise self._rejected("a body in thousands of small chunks; send it with Content-Length")
        return event

    def send(self, event: Any) -> Any:  # noqa: ANN401
        """Return the bytes of a part of a response; its head comes with the body, which saves a packet."""
        data = super().send(event) or b""
        if isinstance(event, h11.Response):
            self._head = data
            return b""
        head, self._head = self._head, b""
        return head + data

    def _rejected(self, reason: str) -> h11.RemoteProtocolError:
        self.rejection = reason
        return h11.RemoteProtocolError(reason)

    def _check_head(self) -> None:
        received, _ = self.trailing_data
        end = _HEAD_END.search(received, 0, _HEAD_BYTES)
        if end is None and len(received) >= _HEAD_BYTES:
            raise self._rejected(f"a request head of more than {_HEAD_BYTES} bytes")
        if received.count(b"\n", 0, end.end() if end else _HEAD_BYTES) > _MAX_LINES:
            raise self._rejected("more than 100 header fields")


class Connection(Protocol):
    """An open connection."""

    @property
    def is_waiting(self) -> bool:
        """Whether it may be closed for another."""

    def close(self) -> None:
        """Close at once."""


class Connections:
    """Room for ``places`` connections."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._open: OrderedDict[Connection, None] = OrderedDict()
        """Longest waiting first."""
        self.given_up_count = 0
        """Connections closed to make room."""

    @property
    def count(self) -> int:
        """Open connections."""
        return len(self._open)

    def enter(self, connection: Connection) -> None:
        """Count a new connection; without room, close the longest waiting one."""
        self._open[connection] = None
        if len(self._open) > self._places:
            longest = next(one for one in self._open if one.is_waiting)
            self.leave(longest)
            longest.close()
            self.given_up_count += 1

    def answered(self, connection: Connection) -> None:
        """Note that a request was answered."""
        if connection in self._open:
            self._open.move_to_end(connection)

    def leave(self, connection: Connection) -> None:
        """Stop counting a connection."""
        self._open.pop(connection, None)


def connections_within(wanted: int) -> Connections:
    """Return room for ``wanted`` connections, at most half the limit on open files, raised if needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * wanted
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Connections(wanted if soft == resource.RLIM_INFINITY else min(wanted, soft // 2))
