"""Spoiled HTTP requests, as the bytes that go onto the wire. Knows the service's routes, not what they answer."""

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from benchmarks.mutations import spoil, spoil_image

__all__ = ["Case", "Requests"]

_ROUTES = (
    "/ /classify /docs /health /health/live /health/ready /metrics /models /models/tiny/1/card /models/fusion/1/card "
    "/openapi.json /v2 /v2/health/live /v2/health/ready /v2/models/production /v2/models/production/infer "
    "/v2/models/production/ready /v2/models/production/versions/1 /v2/models/production/versions/1/infer "
    "/v2/models/production/versions/1/ready /web/style.css /nowhere"
).split()
_METHODS = "GET HEAD POST PUT DELETE PATCH OPTIONS TRACE PROPFIND get G X-Y!~ M-SEARCH".split()
_BOUNDARY = "a-boundary"
_LONG = "a" * 6000
_NAMES = (
    *(
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..",
        ".",
        "",
        "%00",
        "%ff%fe",
        "%0d%0aX:%201",
        "%",
        "%zz",
        "~",
        ":@",
    ),
    *("%F0%9F%92%93", "%E2%80%AE", "%ED%A0%80", "production", "tiny", "damaged", "con", "*", "-1", "1e9", "٣"),
    *(_LONG, "9" * 5000, "/".join("a" * 500), "{model}", "%7Bmodel%7D", "aliases.json", "tiny%2F1"),
)
_VALUES = (
    *(
        "",
        "0",
        "-1",
        "1",
        "1.5",
        "1e309",
        "nan",
        "9" * 30,
        "9" * 5000,
        "true",
        "null",
        "[]",
        "é",
        "\x01",
        "\x7f",
        "a\tb",
    ),
    *(
        "bytes=0-0",
        "bytes=5-1",
        "bytes=-",
        "bytes=" + ",".join("0-1" for _ in range(2000)),
        '"',
        "*",
        ",",
        ";",
        "a;b=c",
    ),
    *(
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        "gzip",
        "identity",
        "100-continue",
    ),
    *(f"multipart/form-data; boundary={_LONG}", "multipart/form-data; boundary=é", "Bearer", "Bearer é", "Basic Og=="),
    *("00-" + "0" * 32 + "-" + "0" * 16 + "-01", "Wed, 21 Oct 2099 07:28:00 GMT", "application/json; charset=utf-7"),
)
_HEADERS = (
    "Accept Accept-Encoding Authorization Connection Content-Encoding Content-Type Cookie Expect Forwarded "
    "Idempotency-Key If-Modified-Since If-None-Match If-Range Inference-Header-Content-Length Origin Range Referer TE "
    "Upgrade User-Agent X-Forwarded-For X-Forwarded-Proto X-HTTP-Method-Override X-Request-Deadline-Ms X-Request-ID "
    "traceparent X-!#$%&'*+-.^_`|~"
).split()
_HOSTS = (
    "",
    "localhost:99999",
    "evil.example",
    "[::1",
    "[::1]:80",
    "127.0.0.1:x",
    "é",
    "a b",
    ",",
    _LONG,
    "localhost.",
)
_LARGEST_HEAD_BYTES = 60_000
"""h11 takes 64 KiB."""
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """One request. ``is_http``: it is well-formed HTTP/1.1 and complete, so that there has to be an answer of ours."""

    kind: str
    method: str
    target: str
    raw: bytes
    is_http: bool = True


class Requests:
    """Cases by their number; the same number of the same seed is the same case."""

    def __init__(self, seed: int, pages: Sequence[bytes]) -> None:
        self._seed = seed
        self._pages = pages

    def case(self, number: int) -> Case:
        """Make one."""
        random = Random(f"{self._seed}:{number}")  # noqa: S311 - no secret
        return random.choices(list(_KINDS), list(_KINDS.values()))[0](random, random.choice(self._pages))


def _request(
    kind: str,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Headers = (),
    *,
    host: str = "localhost",
    is_http: bool = True,
) -> Case:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body or method in {"POST", "PUT"}:
        lines.append(f"Content-Length: {len(body)}")
    raw = "\r\n".join((*lines, "", "")).encode("utf-8") + body
    return Case(kind, method, target, raw, is_http)


def _image(random: Random, page: bytes) -> Case:
    target = "/classify?explain=true" if random.random() < 0.05 else "/classify"
    return _request("image", "POST", target, spoil_image(random, page))


def _form(random: Random, page: bytes) -> Case:
    names = random.choice(
        ('name="file"; filename="a.jpg"', 'name="file"', "name=file", 'name="other"', 'name="file', _LONG)
    )
    part = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {names}\r\n".encode()
    part += random.choice((b"", b"Content-Type: image/png\r\n", b": \r\n", b"X" * 9000 + b": 1\r\n", b"X: 1\r\n" * 99))
    part += b"\r\n" + (page if random.random() < 0.2 else page[:2000]) + b"\r\n"
    body = part * random.choice((1, 1, 1, 2, 50)) + random.choice((f"--{_BOUNDARY}--\r\n".encode(), b"", b"--"))
    if random.random() < 0.5:
        body = spoil(random, body)
    boundary = random.choice((_BOUNDARY,) * 6 + ("b", f'"{_BOUNDARY}"', f"{_BOUNDARY}; charset=utf-16", "a" * 71))
    return _request("form", "POST", "/classify", body, [("Content-Type", f"multipart/form-data; boundary={boundary}")])


def _query(random: Random, page: bytes) -> Case:
    names = ("model", "explain", "file", "", "model[]", "%6dodel", "__proto__", "explain%00")
    pairs = [f"{random.choice(names)}={_quoted(random)}" for _ in range(random.choice((1, 2, 3, 300)))]
    target = f"{random.choice(_ROUTES)}?" + random.choice(("&", "&", ";")).join(pairs)
    return _request("query", random.choice(("POST", "POST", "GET")), target[:30_000], page[:100])


def _quoted(random: Random) -> str:
    value = random.choice((*_NAMES, *_VALUES))
    return quote(value, safe="%") if random.random() < 0.9 else quote(random.randbytes(20))


def _path(random: Random, page: bytes) -> Case:
    shapes = (
        "/models/{}/{}/card",
        "/v2/models/{}/versions/{}",
        "/v2/models/{}/versions/{}/infer",
        "/v2/models/{}/infer",
    )
    shapes += ("/v2/models/{}/ready", "/v2/models/{}", "/web/{}", "/{}/{}", "//{}", "/models/{}", "/v2/{}/{}")
    target = random.choice(shapes).format(*(quote(random.choice(_NAMES), safe="%/:@*") for _ in range(2)))
    return _request("path", random.choice(_METHODS), target, page[: random.choice((0, 20))])


def _header(random: Random, page: bytes) -> Case:
    given = [(random.choice(_HEADERS), random.choice(_VALUES)) for _ in range(random.choice((1, 2, 5, 50)))]
    given += random.sample(given, 1) if random.random() < 0.3 else []
    is_http = not any(char in value for _, value in given for char in "\x01\x7f")
    body = page if random.random() < 0.1 else page[:50]
    target = "/classify" if len(body) > 50 else random.choice(_ROUTES)
    method = random.choice(("GET", "POST")) if len(body) <= 50 else "POST"
    head_bytes = sum(len(name) + len(value.encode()) + 4 for name, value in given)
    return _request("header", method, target, body, given, is_http=is_http and head_bytes < _LARGEST_HEAD_BYTES)


def _host(random: Random, _: bytes) -> Case:
    host = random.choice(_HOSTS)
    case = _request("host", random.choice(("GET", "POST")), random.choice(_ROUTES), host=host, is_http=host.isascii())
    doubled = case.raw.replace(b"\r\n", b"\r\nHost: localhost\r\n", 1)
    if random.random() < 0.3:
        return Case("host", case.method, case.target, doubled, is_http=False)
    return case


def _method(random: Random, page: bytes) -> Case:
    return _request("method", random.choice(_METHODS), random.choice(_ROUTES), page[: random.choice((0, 1, 2000))])


def _framing(random: Random, page: bytes) -> Case:
    """Lengths that are wrong, contradict one another or are no numbers."""
    lengths = ("0", "-1", "+5", "5, 5", "5, 6", "0x5", " 5", "5 ", "9" * 19, "9" * 400, "1_0", "٣", "", "5", str(2**31))
    codings = (
        "chunked",
        "Chunked",
        "chunked, chunked",
        "gzip, chunked",
        "identity",
        " chunked",
        "x",
        "",
        "chunked;q=1",
    )
    lines = [f"Content-Length: {random.choice(lengths)}" for _ in range(random.choice((0, 1, 1, 2)))]
    lines += [f"Transfer-Encoding: {random.choice(codings)}" for _ in range(random.choice((0, 1, 1, 2)))]
    chunks = random.choice(
        (b"5\r\nabcde\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFF\r\na", b"-1\r\na\r\n", b"5;a=b\r\nabcde\r\n0\r\nX: 1\r\n\r\n")
    )
    body = random.choice((chunks, chunks, spoil(random, chunks), page[:5], b"5" * 5000))
    method, target = random.choice(("POST", "POST", "GET")), random.choice(("/classify", random.choice(_ROUTES)))
    head = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *lines, "", ""))
    return Case("framing", method, target, head.encode() + body, is_http=False)


def _chunked(random: Random, page: bytes) -> Case:
    """A body in chunks, as it may be sent."""
    body, chunks = spoil(random, page) if random.random() < 0.3 else page[:3000], []
    while body:
        size = random.choice((1, 100, 70_000)) if len(chunks) < 50 else len(body)
        chunks.append(b"%x\r\n%b\r\n" % (len(body[:size]), body[:size]))
        body = body[size:]
    target = random.choice(("/classify", "/v2/models/production/infer"))
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Case("chunked", "POST", target, head.encode() + b"".join(chunks) + b"0\r\n\r\n")


def _infer(random: Random, page: bytes) -> Case:
    """The Open Inference Protocol, in JSON or with the pages behind it."""
    page = spoil_image(random, page) if random.random() < 0.3 else page[:300]
    behind = struct.pack("<I", len(page)) + page if random.random() < 0.5 else b""
    entry: dict[str, object] = {"name": "page", "datatype": "BYTES", "shape": [1]}
    entry |= (
        {"parameters": {"binary_data_size": len(behind)}} if behind else {"data": [base64.b64encode(page).decode()]}
    )
    request: dict[str, object] = {"id": "a", "inputs": [entry]}
    odd = (None, -1, 0, 1e308, 10**40, "", "é\ud800", [], {}, [[]] * 300, True, [1] * 17, [[["a"]]], _LONG)
    for _ in range(random.choice((0, 1, 1, 3))):
        holder = random.choice((request, entry, entry))
        holder[random.choice((*holder, "parameters", "outputs", "extra"))] = random.choice(odd)
    text = json.dumps(request).encode()
    if random.random() < 0.3:
        text = random.choice((spoil(random, text), b"[" * 5000, b'{"inputs":' * 3000, b"NaN", b"\xef\xbb\xbf" + text))
    length = random.choice((len(text), len(text), len(text), 0, len(text) + len(behind), len(text) + 1, 10**30))
    headers = [("Inference-Header-Content-Length", str(length))] if behind or random.random() < 0.1 else []
    if behind and random.random() < 0.3:
        behind = spoil(random, behind)
    model = random.choice(("production", "production", "tiny/versions/1", "fusion/versions/1", "damaged"))
    return _request("infer", "POST", f"/v2/models/{model}/infer", text + behind, headers)


def _wire(random: Random, page: bytes) -> Case:
    """A request that is spoiled as bytes, its head mostly."""
    case = random.choice((_form, _query, _header, _infer, _chunked))(random, page)
    return Case("wire", case.method, case.target, spoil(random, case.raw), is_http=False)


_KINDS: Mapping[Callable[[Random, bytes], Case], int] = {
    _image: 6,
    _form: 3,
    _query: 2,
    _path: 2,
    _header: 3,
    _host: 1,
    _method: 1,
    _framing: 2,
    _chunked: 1,
    _infer: 3,
    _wire: 2,
}
"""How often each kind of case comes."""
