"""Read one page from a request body, within a limit.

Multipart bodies are parsed here on python-multipart itself. Starlette's parser would write files over 1 MiB to disk,
take the last of two equal fields, and name its refusals in free text only.
"""

from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.body_budget import Upload
from service.errors import (
    BodyTooLargeError,
    IncompleteBodyError,
    MalformedMultipartError,
    MissingFileError,
    UnexpectedPartsError,
)

__all__ = ["FILE_PART", "read_raw", "read_upload"]

FILE_PART = "file"


async def read_upload(request: Request, arrival: Upload, *, max_body_bytes: int) -> bytes:
    """Read the one page that a request carries: part "file" of a multipart body, or else the whole body.

    What a raw body's Content-Type says is not looked at: the decoder judges by content. Never holds more than
    ``max_body_bytes``, and nothing touches the disk.

    Raises:
        UploadError: too large, incomplete, malformed, or not exactly one file.
        OverloadedError: there is no room for it.
    """
    return await _read(request, arrival, _body_for(request.headers.get("content-type")), max_body_bytes)


async def read_raw(request: Request, arrival: Upload, *, max_body_bytes: int) -> bytes:
    """Read the whole body, whatever its content type says, within the same limits.

    Raises:
        UploadError: too large, incomplete or empty.
        OverloadedError: there is no room for it.
    """
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
    media_type, parameters = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        return _RawBody()
    if not parameters.get(b"boundary"):
        raise MalformedMultipartError("a multipart Content-Type without a boundary")
    return _FormBody(parameters[b"boundary"])


class _RawBody:
    """A body that is the page itself."""

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
    """A multipart/form-data body that holds the page as its only part."""

    def __init__(self, boundary: bytes) -> None:
        self._chunks: list[bytes] = []
        self._part_count = 0
        self._is_file = False
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
        with _malformed_refused():
            self._parser.write(chunk)

    def page(self) -> bytes:
        if not self._complete:
            raise MalformedMultipartError("a multipart body without its closing boundary")
        if not self._is_file:
            raise MissingFileError(f'a form without a part named "{FILE_PART}"')
        data = b"".join(self._chunks)
        if not data:
            raise MissingFileError("an empty file")
        return data

    def _begin_part(self) -> None:
        self._part_count += 1
        if self._part_count > 1:
            raise UnexpectedPartsError("a form of more than one part")

    def _extend_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _extend_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, parameters = parse_options_header(self._header_value)
            self._is_file = parameters.get(b"name") == FILE_PART.encode()
        self._header_name = self._header_value = b""

    def _extend_part(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def _end_form(self) -> None:
        self._complete = True


@contextmanager
def _malformed_refused() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise MalformedMultipartError("a multipart body that cannot be parsed") from error
