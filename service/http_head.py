"""Where a request's head ends, as its bytes say, and what it asks for, which the parser does not tell whole.

Knows no connection.
"""

import re

from httptools import HttpParserError

__all__ = ["MOST_HEAD_BYTES", "RequestHead"]

MOST_HEAD_BYTES = 64 * 2**10
_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"(?!CONNECT )[!-~]+ ([!-~]+) HTTP/1\.[01]\r\n")


class RequestHead:
    """The head of one request."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.is_complete = False
        """Whether nothing more is to come."""

    @property
    def has_begun(self) -> bool:
        """Whether something of it is here."""
        return bool(self._bytes)

    @property
    def target(self) -> bytes:
        """What its first line asks for.

        Raises:
            HttpParserError: that line is no request's.
        """
        line = _REQUEST_LINE.match(self._bytes)
        if line is None:
            raise HttpParserError("no request line")
        return line[1]

    def take(self, data: memoryview) -> tuple[memoryview, memoryview]:
        """Give the head's part of ``data``, and what comes after the head.

        Raises:
            HttpParserError: it has as many bytes as a head may have, and no end.
        """
        before = len(self._bytes)
        if before == MOST_HEAD_BYTES:
            raise HttpParserError("a head beyond all measure")
        self._bytes += data[: MOST_HEAD_BYTES - before]
        end = self._bytes.find(_END, max(0, before + 1 - len(_END)))
        self.is_complete = end >= 0
        taken = (end + len(_END) if self.is_complete else len(self._bytes)) - before
        return data[:taken], data[taken:]
