"""Where a request's body ends, as its head says, and the body's bytes. Knows no connection, and keeps no bytes.

Framing is where a proxy and a service that read differently can be played off against each other (request smuggling),
so whatever could be read in two ways is refused, also where RFC 9112 leaves a choice.
"""

import re
from collections.abc import Sequence

import h11
from httptools import HttpParserError

__all__ = ["AnnouncedBody", "ChunkedBody", "body_of"]

_LENGTH = re.compile(rb"[0-9]{1,19}")
_SMALL_BYTES = 256
_MOST_SMALL_CHUNKS = 1024  # of a body: 15 ms of parsing, in which the event loop does nothing else
_MOST_AROUND_BYTES = 64 * 2**10
"""Of chunk sizes, their extensions and trailers, beyond as many bytes as the chunks themselves hold."""
_CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

Headers = Sequence[tuple[bytes, bytes]]


def body_of(headers: Headers, http_version: str) -> "AnnouncedBody | ChunkedBody | None":
    """Give what is to come of the body after a head of these ``headers``, whose names are in lower case.

    Raises:
        HttpParserError: there is more than one way to read them, or none.
    """
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if codings:
        if lengths or http_version != "1.1" or [coding.lower() for coding in codings] != [b"chunked"]:
            raise HttpParserError("a body in another coding than chunked, or with a length besides")
        return ChunkedBody()
    if lengths:
        if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
            raise HttpParserError("two lengths, or one that is no number")
        return AnnouncedBody(int(lengths[0])) if int(lengths[0]) else None
    return None


class AnnouncedBody:
    """A body whose size the head announced."""

    def __init__(self, size_bytes: int) -> None:
        self._rest_bytes = size_bytes

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is to come."""
        return not self._rest_bytes

    @property
    def sure_bytes(self) -> int:
        """How many more are to come at least."""
        return self._rest_bytes

    def take(self, data: memoryview) -> tuple[memoryview, memoryview]:
        """Give the body's part of ``data``, and what comes after the body."""
        piece = data[: self._rest_bytes]
        self._rest_bytes -= len(piece)
        return piece, data[len(piece) :]

    def leave_out(self, size_bytes: int) -> None:
        """Count what came of it and was not even read: no more than `sure_bytes`."""
        self._rest_bytes -= size_bytes


class ChunkedBody:
    """A body in chunks, of which only so many may be small: of one byte each, 500 kB a second keep a core busy.

    h11 takes them apart, since it can tell where they end. Extensions and trailers are dropped.
    """

    sure_bytes = 1
    """How many more are to come at least, until it is complete."""

    def __init__(self) -> None:
        self._parser = h11.Connection(h11.SERVER, _MOST_AROUND_BYTES)
        self._parser.receive_data(_CHUNKED_HEAD)
        self._parser.next_event()
        self._small_chunks = 0
        self._around_bytes = 0
        self._last = b""
        """The last three bytes of what was taken before: a body ends in four."""
        self.is_complete = False

    def take(self, data: memoryview) -> tuple[bytes, memoryview]:
        """Give what the chunks in ``data`` hold, and what comes after the body.

        Raises:
            RemoteProtocolError: they are malformed, or too many for so few bytes.
        """
        came = bytes(data)
        self._parser.receive_data(came)
        pieces = []
        while isinstance(event := self._parser.next_event(), h11.Data):
            self._count(event)
            pieces.append(event.data)
        body = b"".join(pieces)
        self.is_complete = isinstance(event, h11.EndOfMessage)
        if self.is_complete:
            rest = self._parser.trailing_data[0]
            if not (self._last + came[: len(came) - len(rest)]).endswith(b"\r\n\r\n"):
                raise h11.RemoteProtocolError("LF where CR LF should be, so that others see another end")
            return body, memoryview(rest)
        self._last = (self._last + came[-3:])[-3:]
        self._around_bytes += len(data) - 2 * len(body)
        if self._around_bytes > _MOST_AROUND_BYTES:
            raise h11.RemoteProtocolError("more around the chunks than in them")
        return body, data[:0]

    def _count(self, chunk: h11.Data) -> None:
        if chunk.chunk_start and chunk.chunk_end and len(chunk.data) < _SMALL_BYTES:
            self._small_chunks += 1
            if self._small_chunks > _MOST_SMALL_CHUNKS:
                raise h11.RemoteProtocolError("too many small chunks")
