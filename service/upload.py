"""Read one page from a request body.

python-multipart parses forms: Starlette writes to disk, and ignores all but the last file.
"""

import re
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.admission import Upload
from service.errors import (
    BodyTooLargeError,
    IncompleteBodyError,
    MalformedMultipartError,
    MissingFileError,
    UnexpectedPartsError,
)

__all__ = ["FILE_PART", "read_raw", "read_upload"]

FILE_PART = "file"

_MAX_CONTENT_TYPE = 1000  # characters; parsing takes quadratic time
_MAX_PREAMBLE_BYTES = 64 * 2**10
_MAX_PARTS = 100
_MAX_PART_HEADER_BYTES = 4096
_MAX_BOUNDARIES = 1000  # each slows down the parser, even where no part begins
_FIELD_NAME = re.compile(rb"[A-Za-z0-9_.\[\]-]{1,40}")


async def read_upload(request: Request, arrival: Upload, *, max_body_bytes: int) -> bytes:
    """Read one page: the part "file" of a multipart body, else the whole body.

    Raises:
        UploadError: the body is not one complete file.
        OverloadedError: there is no room.
    """
    return await _read(request, arrival, _body_for(request.headers.get("content-type")), max_body_bytes)


async def read_raw(request: Request, arrival: Upload, *, max_body_bytes: int) -> bytes:
    """Read the whole body as `read_upload` does."""
    return await _read(request, arrival, _RawBody(), max_body_bytes)


async def _read(request: Request, arrival: Upload, body: "_Body", max_body_bytes: int) -> bytes:
    announced = request.headers.get("content-length", "")
    arrival.expected_bytes = int(announced) if announced.isdecimal() else max_body_bytes
    if arrival.expected_bytes > max_body_bytes:
        raise BodyTooLargeError(max_body_bytes)
    received_bytes = 0
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                received_bytes += len(chunk)
                if received_bytes > max_body_bytes:
                    raise BodyTooLargeError(max_body_bytes)
                arrival.count(len(chunk))
                body.write(chunk)
    except ClientDisconnect as error:
        raise IncompleteBodyError from error
    return body.page()


class _Body(Protocol):
    def write(self, chunk: bytes) -> None: ...

    def page(self) -> bytes: ...


def _body_for(content_type: str | None) -> _Body:
    if content_type is not None and len(content_type) > _MAX_CONTENT_TYPE:
        raise MalformedMultipartError(f"a Content-Type of more than {_MAX_CONTENT_TYPE} characters")
    media_type, parameters = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        return _RawBody()
    if not parameters.get(b"boundary"):
        raise MalformedMultipartError("a multipart Content-Type without a boundary")
    return _FormBody(parameters[b"boundary"])


class _RawBody:
    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def page(self) -> bytes:
        data = b"".join(self._chunks)
        if not data:
            raise MissingFileError("an empty body")
        return data


class _FormBody:
    """A form with one file; text fields are ignored."""

    def __init__(self, boundary: bytes) -> None:
        self._chunks: list[bytes] = []
        self._preamble: bytes | None = b""
        """Bytes before the first boundary (RFC 2046, 5.1.1); None after it."""
        self._delimiter = b"--" + boundary
        self._boundary_line = b"\r\n" + self._delimiter
        self._boundaries = 0
        self._chunk_end = b""
        """A boundary may begin here."""
        self._parts = 0
        self._files: list[bytes] = []
        """Fields with files."""
        self._in_file = False
        self._complete = False
        self._header_name = b""
        self._header_value = b""
        with _malformed_refused():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._extend_header_name,
                    "on_header_value": self._extend_header_value,
                    "on_header_end": self._end_header,
                    "on_part_data": self._extend_part,
                    "on_end": self._end_form,
                },
            )

    def write(self, chunk: bytes) -> None:
        self._count_boundaries(chunk)
        with _malformed_refused():
            self._parser.write(chunk if self._preamble is None else self._after_preamble(chunk))

    def _count_boundaries(self, chunk: bytes) -> None:
        received = self._chunk_end + chunk
        self._boundaries += received.count(self._boundary_line)
        self._chunk_end = received[1 - len(self._boundary_line) :]
        if self._boundaries > _MAX_BOUNDARIES:
            raise MalformedMultipartError(f"a multipart body with its boundary more than {_MAX_BOUNDARIES} times")

    def page(self) -> bytes:
        if not self._complete:
            raise MalformedMultipartError("a multipart body without its closing boundary")
        if FILE_PART.encode() not in self._files:
            raise MissingFileError(self._wrong_field())
        if len(self._files) > 1:
            raise UnexpectedPartsError("a form of more than one file")
        data = b"".join(self._chunks)
        if not data:
            raise MissingFileError("an empty file")
        return data

    def _wrong_field(self) -> str:
        names = [name.decode() for name in self._files if _FIELD_NAME.fullmatch(name)]
        if names:
            return f'a form whose file is in the field "{names[0]}", not "{FILE_PART}"'
        return f'a form without a file in a field named "{FILE_PART}"'

    def _after_preamble(self, chunk: bytes) -> bytes:
        """Return the bytes from the first boundary on."""
        received = (self._preamble or b"") + chunk
        start = received.find(self._delimiter)
        line_end = received.find(b"\n", start)
        if start < 0 or line_end < 0:
            if len(received) > _MAX_PREAMBLE_BYTES:
                raise MalformedMultipartError("a multipart body that does not begin with its boundary")
            self._preamble = received
            # The closing boundary of an empty form needs no line end.
            return b"" if start < 0 or not received.endswith(self._delimiter + b"--") else self._begin(received[start:])
        if received[line_end - 1 : line_end] != b"\r":
            raise MalformedMultipartError("a multipart body whose lines end in LF, not in CR LF")
        return self._begin(received[start:])

    def _begin(self, body: bytes) -> bytes:
        self._preamble = None
        return body

    def _begin_part(self) -> None:
        self._parts += 1
        self._in_file = False
        if self._parts > _MAX_PARTS:
            raise UnexpectedPartsError(f"a form of more than {_MAX_PARTS} parts")

    def _extend_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _extend_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]
        if len(self._header_value) > _MAX_PART_HEADER_BYTES:
            raise MalformedMultipartError(f"a part with a header of more than {_MAX_PART_HEADER_BYTES} bytes")

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, parameters = parse_options_header(self._header_value)
            name = parameters.get(b"name", b"")
            if name == FILE_PART.encode() or b"filename" in parameters:
                self._files.append(name)
                self._in_file = name == FILE_PART.encode()
        self._header_name = self._header_value = b""

    def _extend_part(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._chunks.append(data[start:end])

    def _end_form(self) -> None:
        self._complete = True


@contextmanager
def _malformed_refused() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise MalformedMultipartError("a multipart body that cannot be parsed") from error
