"""Bodies: how one file is found in them, and every way in which it is not. No service, no network: plain ASGI."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from service import admission as budget_module
from service.admission import BodyBudget
from service.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    IncompleteBodyError,
    MalformedMultipartError,
    MissingFileError,
    OverloadedError,
    UnexpectedPartsError,
    UploadError,
)
from service.upload import read_upload
from tests.service.serving import BOUNDARY, file_form, form

FILE = 'name="file"; filename="a.jpg"'
CONTENT = bytes(range(256)) * 40 + b"\r\n--" + BOUNDARY.encode()[:-1]
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


class Body:
    """An ASGI body in pieces; counts those that were asked for."""

    def __init__(self, pieces: Iterable[bytes], *, then: str = "end") -> None:
        self._pieces = iter(pieces)
        self._then = then
        self.taken = 0

    async def receive(self) -> Message:
        self.taken += 1
        if (piece := next(self._pieces, None)) is not None:
            return {"type": "http.request", "body": piece, "more_body": True}
        if self._then == "silence":
            await asyncio.Event().wait()
        return {"type": "http.disconnect"} if self._then == "disconnect" else {"type": "http.request", "body": b""}


def request_of(body: Body, headers: dict[str, str] | None = None) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, body.receive)


def read(body: Body, headers: dict[str, str] | None = None, max_body_bytes: int = 10**6) -> bytes:
    async def receive() -> bytes:
        bodies = BodyBudget(places=1, max_bytes=max_body_bytes, timeout_s=0.1)
        with bodies.arrival() as arrival:
            async with arrival.receiving():
                return await read_upload(request_of(body, headers), arrival, max_body_bytes=max_body_bytes)

    return asyncio.run(receive())


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 7, 100, 65536])
@pytest.mark.parametrize("part", [FILE, 'name="file"', "filename=x; name=file"])
def test_the_one_file_of_a_form_in_pieces_of_any_size(size: int, part: str) -> None:
    request = form((part, CONTENT))
    assert read(Body(pieces(request["content"], size)), request["headers"]) == CONTENT


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "application/octet-stream", "text/plain", None])
def test_any_other_body_is_the_file(media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    assert read(Body(pieces(CONTENT, 1000)), headers) == CONTENT


@pytest.mark.parametrize(
    ("request_parts", "error"),
    [
        (form((FILE, CONTENT), (FILE, CONTENT)), UnexpectedPartsError),
        (form((FILE, CONTENT), ('name="other"; filename="b"', b"x")), UnexpectedPartsError),
        (
            {"content": CONTENT, "headers": {"Content-Type": "multipart/form-data" + ";" * 1000}},
            MalformedMultipartError,
        ),
        (form((FILE, f"\r\n--{BOUNDARY}-x".encode() * 5000)), MalformedMultipartError),
        ({"content": b"x" * 70_000, "headers": MULTIPART}, MalformedMultipartError),
        (form(*[(f'name="{n}"; filename="{n}"', b"x") for n in range(1000)]), UnexpectedPartsError),
        (form(('name="image"; filename="a.jpg"', CONTENT)), MissingFileError),
        (form(('filename="a.jpg"', CONTENT)), MissingFileError),
        (form((FILE, b"")), MissingFileError),
        (form(), MissingFileError),
        (form((FILE, CONTENT), close=False), MalformedMultipartError),
        ({"content": b"", "headers": MULTIPART}, MalformedMultipartError),
        ({"content": CONTENT, "headers": MULTIPART}, MalformedMultipartError),
        ({"content": CONTENT, "headers": {"Content-Type": "multipart/form-data"}}, MalformedMultipartError),
        (
            {"content": CONTENT, "headers": {"Content-Type": f"multipart/form-data; boundary={'x' * 1000}"}},
            MalformedMultipartError,
        ),
        (form(("x" * 10_000, CONTENT)), MalformedMultipartError),
        ({"content": b"", "headers": {"Content-Type": "image/jpeg"}}, MissingFileError),
    ],
)
@pytest.mark.parametrize("size", [100, 65536])
def test_what_is_no_single_file(request_parts: dict[str, Any], error: type[UploadError], size: int) -> None:
    with pytest.raises(error):
        read(Body(pieces(request_parts["content"], size)), request_parts["headers"])


def test_form_full_of_boundaries_costs_little_cpu() -> None:
    content = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"\r\n--b-x" * 2**20
    began_s = time.process_time()
    with pytest.raises(MalformedMultipartError, match="its boundary more than 1000 times"):
        read(Body(pieces(content, 65536)), {"Content-Type": "multipart/form-data; boundary=b"}, len(content))
    assert time.process_time() - began_s < 0.2


def test_an_announced_size_over_the_limit_is_refused_unread() -> None:
    body = Body([CONTENT])
    with pytest.raises(BodyTooLargeError):
        read(body, {"Content-Length": "1001"}, max_body_bytes=1000)
    assert body.taken == 0


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "10"}, {"Content-Length": "-5"}, MULTIPART])
def test_bytes_are_counted_whatever_was_announced(headers: dict[str, str]) -> None:
    endless = Body(iter(lambda: file_form(b"x" * 50)["content"][:100], None))
    with pytest.raises(BodyTooLargeError if headers is not MULTIPART else UploadError):
        read(endless, headers, max_body_bytes=1000)
    assert endless.taken <= 11


def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert read(Body([b"x" * 1000]), {"Content-Length": "1000"}, max_body_bytes=1000) == b"x" * 1000


@pytest.mark.parametrize(("then", "error"), [("silence", BodyTimeoutError), ("disconnect", IncompleteBodyError)])
def test_half_a_body(then: str, error: type[UploadError]) -> None:
    with pytest.raises(error):
        read(Body([CONTENT], then=then))


@pytest.mark.parametrize("size", [1, 100, 65536])
def test_text_fields_and_a_preamble_are_ignored(size: int) -> None:
    request = form(('name="patient"', b"text"), (FILE, CONTENT), ('name="comment"', b""))
    content = b"This is a message in several parts.\r\n" + request["content"]
    assert read(Body(pieces(content, size)), request["headers"]) == CONTENT


def test_wrong_field_is_named() -> None:
    request = form(('name="image"; filename="a.jpg"', CONTENT))
    with pytest.raises(MissingFileError, match='in the field "image", not "file"'):
        read(Body([request["content"]]), request["headers"])


def test_lines_that_end_in_lf_are_named() -> None:
    request = file_form(b"text")
    with pytest.raises(MalformedMultipartError, match="LF, not in CR LF"):
        read(Body([request["content"].replace(b"\r\n", b"\n")]), request["headers"])


def test_no_message_repeats_what_was_sent() -> None:
    for request_parts in (form(('name="a"', b"secret")), form((FILE, b"a"), ('name="a secret"; filename="b"', b"b"))):
        with pytest.raises(UploadError) as refusal:
            read(Body([request_parts["content"]]), request_parts["headers"])
        assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("headers", [{"Content-Length": "30"}, {"Transfer-Encoding": "chunked"}])
def test_a_body_that_cannot_fit_takes_no_room_from_slower_ones(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(budget_module, "_LEAST_TIME_S", 0.0)

    async def receive() -> None:
        bodies = BodyBudget(places=9, max_bytes=100, timeout_s=10)
        with bodies.arrival() as queued, bodies.arrival() as slow, bodies.arrival() as new:
            queued.count(80)
            bodies.leave(queued)
            slow.count(5)
            with pytest.raises(OverloadedError):
                await read_upload(request_of(Body([b"x"] * 30), headers), new, max_body_bytes=30)
            assert (slow.held_bytes, new.held_bytes) == (5, 15)

    asyncio.run(receive())
