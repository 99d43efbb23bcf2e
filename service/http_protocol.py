"""HTTP/1.1 as uvicorn speaks it, but a client has only so long to ask and to listen, and so much to say. No routes.

uvicorn waits for ever for the second half of a request's head, for what is left of a body that was refused, and for
who does not read an answer. It takes as many connections as come. Around httptools it bounds no head either, and it
lets the parser run over whatever was read at once. Here the parser gets a head and nothing else: where the head ends is
found beforehand, where its body ends is `http_body`'s to say, and what comes after that waits for the answer.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import unquote

import h11
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.doorway import Doorway
from service.http_body import AnnouncedBody, ChunkedBody, body_of
from service.http_head import MOST_HEAD_BYTES, RequestHead
from service.joined_writes import JoinedWrites
from service.state import Service
from service.unread import Unread

__all__ = ["READ_BYTES", "PatientProtocol"]

READ_BYTES = 256 * 2**10
"""What is read at once, and how much of a body may wait to be taken before no more is read."""
_MOST_FIELDS = 100  # what Apache takes; the application goes through all of them for each that it looks up


class PatientProtocol(HttpToolsProtocol, asyncio.BufferedProtocol):
    """Closes a connection on which no head of a request is complete ``head_timeout_s`` after its first bytes.

    For the first request the clock starts with the connection; between requests uvicorn's `timeout_keep_alive` holds.
    It is closed as well when an answer waits, and ``answer_timeout_s`` long nothing of it is read. Where it is to be
    closed and the client still sends, that is received first, for at most ``head_timeout_s``.

    All connections of an event loop read into the same ``read_buffer``, of `READ_BYTES`: it is used up before the next
    one is asked for it.
    """

    def __init__(
        self,
        *,
        head_timeout_s: float,
        answer_timeout_s: float,
        read_buffer: memoryview,
        **of_uvicorn: Any,  # noqa: ANN401 - uvicorn's own arguments
    ) -> None:
        super().__init__(**of_uvicorn)
        self._service: Service = self.app_state["service"]
        self._room = self._service.connections
        self._doorway: Doorway = self.app_state["doorway"]
        self._read_buffer = read_buffer
        self._head = RequestHead()
        """The one that is being read, or the next one."""
        self._head_is_read = False
        """The parser has seen its end."""
        self._body: AnnouncedBody | ChunkedBody | None = None
        """What is still to come of the last request's body."""
        self._ahead = bytearray()
        """What came before the answer to the request before it."""
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timeout_s = answer_timeout_s
        self._answer_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in HttpToolsProtocol
        """Start the clock."""
        self._answers = JoinedWrites(transport, self.loop, self._is_sending)
        super().connection_made(self._answers)
        self._unread = Unread(transport, self._read_buffer)
        self._watch_head()
        self._room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves it running where the client reset the connection
        self._stop_clock()
        self.resume_writing()
        self._unread.end()
        self._room.leave(self)

    def eof_received(self) -> None:
        """Send what is held before asyncio closes."""
        self._answers.close(at_once=True)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's own argument
        """Say where to put what is read: of a body as much as there is room for, else no more than a head may have.

        What nobody is going to read is dropped before.
        """
        if self._body is not None and self.is_waiting:
            self._go_on()
        return self._read_buffer[: MOST_HEAD_BYTES if self._body is None else READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        self._take(self._read_buffer[:nbytes])

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

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a field of the head."""
        if len(self.headers) == _MOST_FIELDS:
            raise HttpParserError("too many fields")
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Begin to answer, if this can be read in one way only."""
        self._target, version = self._head.target, self.parser.get_http_version()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if self._head_is_read or hosts > 1 or (not hosts and version == "1.1"):
            raise HttpParserError("a second head, or not one Host")
        self._head_is_read = True
        self._body = body_of(self.headers, version)
        self.expect_100_continue = self.expect_100_continue and version == "1.1"
        self.url = b"/"  # uvicorn would drop the host from http://host/path, and fail at http://host
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Do nothing: it is the end of the head alone, since the parser gets no more."""

    def on_response_complete(self) -> None:
        """Note it, and go on to the next request, which may have come already."""
        self._end_answer()
        self._go_on()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; whoever is at work on the request's head is told that the client has gone.

        Otherwise its answer would come after this one, and fail, with a traceback that any client could ask for.
        """
        is_late = self._body is not None and self.cycle.response_started  # an answer is on its way already
        self._body = None
        if is_late:
            self._answers.close(at_once=True)
        else:
            super().send_400_response(msg)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own argument
        """Have the application answer, where the request is not refused at once."""
        raw_path, _, query = self._target.partition(b"?")
        scope: Any = cycle.scope  # uvicorn's type is not Starlette's
        scope.update({"path": unquote(raw_path.decode()), "raw_path": raw_path, "query_string": query})
        # The application waits with its answer where the one before it is not read.
        refusal = None if self.flow.write_paused else self._doorway.refusal(scope)
        if refusal is None:
            super()._start_asgi_task(cycle, app)
        else:
            self._answer(cycle, refusal)

    def _answer(self, cycle: RequestResponseCycle, response: Response) -> None:
        """Send what is whole already."""
        headers = [*cycle.default_headers, *response.raw_headers]
        if not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        fields = [b"%b: %b\r\n" % header for header in headers]
        self.transport.writelines((STATUS_LINE[response.status_code], *fields, b"\r\n", response.body))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self._end_answer()

    def _end_answer(self) -> None:
        self._room.answered(self)
        self.cycle.body.clear()  # what came of a refused one, or it is kept until the next request
        super().on_response_complete()
        self.flow.resume_reading()  # which uvicorn does not where it has closed
        self._take_ahead()

    def _is_sending(self) -> bool:
        """Whether there is more to come of a request; of no interest to a service that stops."""
        return self._body is not None and not self._service.draining

    def _take(self, data: memoryview) -> None:
        self._unset_keepalive_if_required()
        try:
            if data and self._body is None and self.is_waiting and not self._answers.is_closing():
                data = self._take_head(data)
            if data and self._body is not None:
                data = self._take_body(self._body, data)
            if data:
                self._wait_with(data)
        except (HttpParserError, h11.RemoteProtocolError):
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
        self._go_on()

    def _wait_with(self, data: memoryview) -> None:
        """Keep what belongs to the next request until this one is answered, and at least for a turn of the loop."""
        self._ahead += data
        self.flow.pause_reading()
        if self.is_waiting:
            self.loop.call_soon(self._take_ahead)

    def _take_ahead(self) -> None:
        ahead, self._ahead = self._ahead, bytearray()
        if ahead and not self.transport.is_closing():
            self.flow.resume_reading()
            self._take(memoryview(ahead))

    def _go_on(self) -> None:
        """Wait for what comes next."""
        if self.is_waiting and isinstance(self._body, AnnouncedBody):
            self._drop(self._body)
        if self._answers.lingers and self._body is None:
            self._answers.close(at_once=True)
        self._watch_head()
        if self._answers.lingers or not self._answers.is_closing():
            # A page of 600 KB comes in ten pieces.
            self._unread.wake_at(1 if self._body is None else min(self._body.sure_bytes, READ_BYTES))

    def _take_head(self, data: memoryview) -> memoryview:
        """Give the parser what belongs to a head, and return the rest."""
        if not self._head.has_begun:
            self.parser, self._head_is_read = HttpRequestParser(self), False
        piece, rest = self._head.take(data)
        with suppress(HttpParserUpgrade):  # to another protocol, which nobody has to accept
            self.parser.feed_data(piece)
        if self._head_is_read != self._head.is_complete:
            raise HttpParserError("the parser sees another end of the head")
        if self._head.is_complete:
            self._head = RequestHead()
            if not self.is_waiting:
                self._hand_on(b"")
        return rest

    def _take_body(self, body: AnnouncedBody | ChunkedBody, data: memoryview) -> memoryview:
        """Hand on what belongs to the body, or drop it where nobody reads it any more, and return the rest."""
        piece, rest = body.take(data)
        if body.is_complete:
            self._body = None
        if not self.is_waiting:
            self._hand_on(piece)
        return rest

    def _drop(self, body: AnnouncedBody) -> None:
        """Be rid of what is there of a body that nobody reads any more."""
        body.leave_out(self._unread.drop(body.sure_bytes))
        if body.is_complete:
            self._body = None

    def _hand_on(self, piece: bytes | memoryview) -> None:
        cycle = self.cycle
        cycle.body += piece
        if len(cycle.body) > READ_BYTES:
            self.flow.pause_reading()
        if piece or self._body is None:
            cycle.more_body = self._body is not None
            cycle.message_event.set()

    def _watch_head(self) -> None:
        if not self.is_waiting:
            self._stop_clock()
        elif self.cycle is not None and self._body is None and not self._head.has_begun:
            self._stop_clock()
            self._wait_for_next_request()
        elif self._head_timer is None:  # not started anew: bytes that trickle buy no time
            self._head_timer = self.loop.call_later(self._head_timeout_s, partial(self._answers.close, at_once=True))

    def _wait_for_next_request(self) -> None:
        """Start uvicorn's clock again: the end of a body that was refused half way has stopped it."""
        if self.timeout_keep_alive_task is None and not self.transport.is_closing():
            seconds, close = self.timeout_keep_alive, self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(seconds, close)

    def _stop_clock(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
