"""Which bytes are a request, where it ends, and what is rejected: h11's rules and our limits."""

import json
import time

import httpx
import pytest

from tests.factories import page_jpeg
from tests.service.raw_http import HOST, LAST, LENGTH, ONE_CHUNK, UPGRADE, answered, chunked, exchanged, get, post

REJECTED_IN_VALUES = {0x00, 0x0A, 0x0B, 0x0C, 0x0D}
TAKEN = {
    "a length with white space around": (post(b"Content-Length: \t5 \t\r\n"), [415]),
    "a length with zeros": (post(b"Content-Length: 0005\r\n"), [415]),
    "no body": (post(b"Content-Length: 0\r\n", body=b""), [422]),
    "a body nobody wants": (get(LENGTH) + b"abcde", [200]),
    "more than can be": (post(b"Content-Length: %b\r\nConnection: close\r\n" % (b"9" * 19), body=b""), [413]),
    "chunks": (chunked(ONE_CHUNK), [415]),
    "chunks, in capitals": (post(b"transfer-encoding: CHUNKED\r\n", body=ONE_CHUNK), [415]),
    "chunks with extensions": (chunked(b'5;a;b="c"\r\nabcde\r\n0;d=e\r\n\r\n'), [415]),
    "trailers, dropped": (chunked(b"5\r\nabcde\r\n0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n"), [415]),
    "any byte of a token in a name": (get(b"!#$%&'*+-.^_`|~09aZ: a\r\n"), [200]),
    "empty values, tabs and beyond ASCII": (get(b"X-A:\r\nX-A:  \r\nX-A: a\tb\r\nX-A: \x80\xff\r\n"), [200]),
    "as many fields as there may be": (get(b"X: 1\r\n" * 99), [200]),
    "a head of 64 KiB": (get(b"X: %b\r\n" % (b"a" * (2**16 - len(get(b"X: \r\n"))))), [200]),
    "no Host in HTTP/1.0": (b"GET /health/live HTTP/1.0\r\n\r\n", [200]),
    "100-continue": (post(LENGTH, b"Expect: 100-continue\r\n"), [100, 415]),
    "100-continue in HTTP/1.0": (post(LENGTH, b"Expect: 100-continue\r\n").replace(b"1.1", b"1.0"), [415]),
    "100-continue, refused": (post(LENGTH, b"Expect: 100-continue\r\n", target=b"/classify?model=none"), [404]),
    "another protocol": (get(UPGRADE), [200]),
    "another protocol, with a body": (post(UPGRADE, LENGTH), [415]),
    "another protocol, with chunks": (post(UPGRADE, b"Transfer-Encoding: chunked\r\n", body=ONE_CHUNK), [415]),
    "a WebSocket": (get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), [200]),
    "a method that no route has": (get(line=b"PROPFIND /classify HTTP/1.1"), [405]),
    "HEAD with a body": (get(LENGTH, line=b"HEAD /health/live HTTP/1.1") + b"abcde", [200]),
    "no target in particular": (get(line=b"OPTIONS * HTTP/1.1"), [404]),
    "a target with a fragment": (get(line=b"GET /health/live?a#b HTTP/1.1"), [200]),
    "a target of any printable bytes": (get(line=b'GET /"<>\\^`{|}#? HTTP/1.1'), [404]),
    "a target with a host of any kind": (get(line=b"GET http://[::1/health/live HTTP/1.1"), [421]),
    # h11 is lenient here: docs/security.md
    "one length twice": (post(LENGTH, LENGTH), [415]),
    "a list of equal lengths": (post(b"Content-Length: 5, 5\r\n"), [415]),
    "chunks in HTTP/1.0": (chunked(ONE_CHUNK).replace(b"HTTP/1.1", b"HTTP/1.0"), [415]),
    **{
        f"chunks that end in {end!r}": (chunked(b"5\r\nabcde\r\n0\r\n" + end), [415])
        for end in (b"\n", b"X: 1\n\n", b"X: 1\n\r\n", b"X: 1\r\n\n")
    },
    **{
        f"chunk extension {value!r}": (chunked(b"5;a" + value + b"\r\nabcde\r\n0\r\n\r\n"), [415])
        for value in (b"\rb", b"=\0")
    },
    "a folded trailer": (chunked(b"5\r\nabcde\r\n0\r\nX: y\r\n Z\r\n\r\n"), [415]),
    "extensions larger than their chunks": (
        chunked(b"100;%b\r\n%b\r\n" % (b"a" * 2000, bytes(256)) * 200 + b"0\r\n\r\n"),
        [415],
    ),
    **{
        f"method {value!r}": (get(line=value + b" /health/live HTTP/1.1"), [405])
        for value in (b"get", b"G", b"FOO", b"PRI", b"DESCRIBE", b"CONNECT")
    },
    "CONNECT to a host": (get(line=b"CONNECT localhost:80 HTTP/1.1"), [404]),
    "HTTP/0.9": (get(line=b"GET /health/live HTTP/0.9"), [200]),
    **{f"version {value!r}": (get(line=b"GET /health/live " + value), [200]) for value in (b"HTTP/1.2", b"HTTP/2.0")},
    **{
        f"target {value!r}": (get(line=b"GET %b HTTP/1.1" % value), [404])
        for value in (b"a", b"?a", b"localhost:80", b"http:/a", b"\\a")
    },
    **{
        f"value {byte:#x}": (get(b"X: a%cb\r\n" % byte), [200]) for byte in {*range(32), 127} - {9, *REJECTED_IN_VALUES}
    },
    "folded": (get(b"X: a\r\n b\r\n"), [200]),
    "folded by a tab": (get(b"X: a\r\n\tb\r\n"), [200]),
    "folded Host": (b"GET /health/live HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n", [200]),
    "LF": (get().replace(b"\r\n", b"\n"), [200]),
    "LF at last": (get()[:-2] + b"\n", [200]),
    "LF once": (get(b"X: a\n"), [200]),
}
CLOSES = {"100-continue in HTTP/1.0", "no Host in HTTP/1.0", "more than can be", "chunks in HTTP/1.0", "HTTP/0.9"}


@pytest.mark.parametrize("name", TAKEN)
def test_a_request_ends_where_it_should(client: httpx.Client, name: str) -> None:
    raw, statuses = TAKEN[name]
    assert answered(client.base_url, raw + LAST) == statuses + [200] * (name not in CLOSES)


REFUSED = {
    # How long the body is
    "length and coding": post(LENGTH, b"Transfer-Encoding: chunked\r\n", body=ONE_CHUNK),
    "coding and length": post(b"Transfer-Encoding: chunked\r\n", LENGTH, body=ONE_CHUNK),
    "two lengths": post(LENGTH, b"Content-Length: 6\r\n"),
    "a list of lengths": post(b"Content-Length: 5, 6\r\n"),
    **{
        f"length {value!r}": post(b"Content-Length: %b\r\n" % value)
        for value in (b"", b"+5", b"-5", b"0x5", b"5 5", b"1_0", b"5.0", b"\xd9\xa3", b"9" * 21, b"9" * 400)
    },
    **{
        f"coding {value!r}": post(b"Transfer-Encoding: %b\r\n" % value, body=ONE_CHUNK)
        for value in (b"", b"x", b"identity", b"gzip, chunked", b"chunked, chunked", b",chunked", b"chunked;q=1")
    },
    "two codings": post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", body=ONE_CHUNK),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\n" * 2, body=ONE_CHUNK),
    **{
        f"chunk {value!r}": chunked(value + b"\r\nabcde\r\n0\r\n\r\n")
        for value in (b"", b"-5", b"+5", b"0x5", b" 5", b"5_", b"0" * 20 + b"5", b"FFFFFFFFFFFFFFFFFFFFF")
    },
    "chunk, LF": chunked(b"5\nabcde\r\n0\r\n\r\n"),
    "chunk, no end": chunked(b"5\r\nabcdefg0\r\n\r\n"),
    "chunk, CR as its end": chunked(b"5\r\nabcde\r0\r\n\r\n"),
    "trailer, space before its colon": chunked(b"0\r\nX : 1\r\n\r\n"),
    # Whose request it is
    "no Host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "two Hosts": get(HOST),
    "two Hosts in HTTP/1.0": get(HOST).replace(b"1.1", b"1.0"),
    # The request line
    **{f"method {value!r}": get(line=value + b" /health/live HTTP/1.1") for value in (b"", b"G(T", b"G\xe9T")},
    **{
        f"version {value!r}": get(line=b"GET /health/live " + value)
        for value in (b"", b"HTTP/1.10", b"http/1.1", b"RTSP/1.0", b"HTTP/1.1 ")
    },
    "HTTP/0.9": b"GET /health/live\r\n\r\n",
    **{
        f"target {value!r}": get(line=b"GET %b HTTP/1.1" % value) for value in (b"", b"/ a", b"/\xe9", b"/\0", b"/\x7f")
    },
    "two spaces": get(line=b"GET  /health/live HTTP/1.1"),
    "a tab": get(line=b"GET\t/health/live HTTP/1.1"),
    **{f"first {value!r}": value + get() for value in (b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\0", b"\xef\xbb\xbf")},
    # Fields
    **{
        f"field {value!r}": get(value + b"\r\n")
        for value in (b"X", b": a", b"X : a", b"X\t: a", b"X A: a", b"X\0: a", b"X(: a", b"X\xe9: a", b"X\r: a")
    },
    **{f"value {byte:#x}": get(b"X: a%cb\r\n" % byte) for byte in REJECTED_IN_VALUES},
    "folded at first": b"GET /health/live HTTP/1.1\r\n X: a\r\nHost: localhost\r\n\r\n",
    "CR": get(b"X: a\r"),
    "CR CR LF": get(b"X: a\r\r\n"),
    # Too much
    "a head over 64 KiB": get(b"X: %b\r\n" % (b"a" * 2**16)),
    "a target over 64 KiB": get(line=b"GET /%b HTTP/1.1" % (b"a" * 2**16)),
    "more fields than there may be": get(b"X: 1\r\n" * 100),
    "extensions without end": chunked(b"5;" + b"a" * 2**18),
    "trailers without end": chunked(b"0\r\nX: " + b"a" * 2**18),
    "trailers in great number": chunked(b"0\r\n" + b"X: 1\r\n" * 2**16),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_request_gets_one_400_and_the_end(client: httpx.Client, name: str) -> None:
    assert answered(client.base_url, REFUSED[name] + LAST) == [400]


@pytest.mark.parametrize("name", ["another protocol, with a body", "trailers, dropped", "a head of 64 KiB"])
@pytest.mark.parametrize("size", [1, 3, 4, 1000])
def test_a_request_may_come_in_any_number_of_reads(client: httpx.Client, name: str, size: int) -> None:
    raw, statuses = TAKEN[name]
    if size == 1:
        raw = raw.replace(b"a" * 60_000, b"")
    assert answered(client.base_url, raw + LAST, size=size) == [*statuses, 200]


def test_a_head_over_64_kib_is_refused_in_any_number_of_reads(client: httpx.Client) -> None:
    assert answered(client.base_url, REFUSED["a head over 64 KiB"], size=1000) == [400]


def test_malformed_request_gets_a_problem(client: httpx.Client) -> None:
    answer = exchanged(client.base_url, chunked(b"1\r\nx\r\n" * 6000))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (400, "malformed_http")
    assert "Content-Length" in problem["found"]


def test_page_in_short_chunks_is_read(client: httpx.Client) -> None:
    page = page_jpeg()
    response = client.post("/classify", content=(page[at : at + 200] for at in range(0, len(page), 200)))
    assert response.status_code == 200


def test_http_1_0_probe_without_host_is_answered(client: httpx.Client) -> None:
    assert answered(client.base_url, b"GET /health HTTP/1.0\r\n\r\n") == [200]


def test_upgrade_keeps_the_body(client: httpx.Client) -> None:
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    assert client.post("/classify", content=page_jpeg(), headers=headers).status_code == 200


def test_tls_on_the_plain_port_is_rejected_at_once(client: httpx.Client) -> None:
    started_s = time.monotonic()
    assert answered(client.base_url, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == [400]
    assert time.monotonic() - started_s < 2
