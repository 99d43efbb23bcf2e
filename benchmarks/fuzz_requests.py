"""Spoiled HTTP requests, as the bytes that go onto the wire. Knows the service's routes, not what they answer."""

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from urllib.parse import quote

from benchmarks.fuzz_words import BOUNDARY, HEADERS, HOSTS, LONG, METHODS, NAMES, ROUTES, UNKNOWN_METHODS, VALUES
from benchmarks.mutations import once_in, spoil, spoil_image

__all__ = ["Case", "Requests"]

_LARGEST_HEAD_BYTES = 60_000
"""The service takes 64 KiB."""
_MOST_CHUNKS = 50
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
    """Cases by their number; the same number of the same seed is the same case, but for the ``key`` that most show."""

    def __init__(self, seed: int, pages: Sequence[bytes], key: str | None = None) -> None:
        self._seed = seed
        self._pages = pages
        self._key = key

    def case(self, number: int) -> Case:
        """Make one."""
        random = Random(f"{self._seed}:{number}")  # noqa: S311 - no secret
        case = random.choices(list(_KINDS), list(_KINDS.values()))[0](random, random.choice(self._pages))
        return case if self._key is None else _with_credentials(random, case, self._key)


def _with_credentials(random: Random, case: Case, key: str) -> Case:
    """Show the key, so that what lies behind it is reached, or now and then something else."""
    strange = (key[:-1], f"{key} {key}", "", "é", "..", "a.b.c", LONG)
    shown = random.choice(strange) if once_in(10, random) else key
    return replace(case, raw=case.raw.replace(b"\r\n", f"\r\nAuthorization: Bearer {shown}\r\n".encode(), 1))


def _request(
    kind: str, start: tuple[str, str], body: bytes = b"", headers: Headers = (), host: str = "localhost"
) -> Case:
    """Put together a request of a method and a target."""
    method, target = start
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body or method in {"POST", "PUT"}:
        lines.append(f"Content-Length: {len(body)}")
    raw = "\r\n".join((*lines, "", "")).encode() + body
    return Case(kind, method, target, raw, is_http=method not in UNKNOWN_METHODS)


def _image(random: Random, page: bytes) -> Case:
    target = "/classify?explain=true" if once_in(20, random) else "/classify"
    return _request("image", ("POST", target), spoil_image(random, page))


def _form(random: Random, page: bytes) -> Case:
    names = random.choice(
        ('name="file"; filename="a.jpg"', 'name="file"', "name=file", 'name="other"', 'name="file', LONG)
    )
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {names}\r\n".encode()
    part += random.choice((b"", b"Content-Type: image/png\r\n", b": \r\n", b"X" * 9000 + b": 1\r\n", b"X: 1\r\n" * 99))
    part += b"\r\n" + (page if once_in(5, random) else page[:2000]) + b"\r\n"
    body = part * random.choice((1, 1, 1, 2, 50)) + random.choice((f"--{BOUNDARY}--\r\n".encode(), b"", b"--"))
    if once_in(2, random):
        body = spoil(random, body)
    boundary = random.choice((BOUNDARY,) * 6 + ("b", f'"{BOUNDARY}"', f"{BOUNDARY}; charset=utf-16", "a" * 71))
    return _request(
        "form", ("POST", "/classify"), body, [("Content-Type", f"multipart/form-data; boundary={boundary}")]
    )


def _query(random: Random, page: bytes) -> Case:
    names = ("model", "explain", "file", "", "model[]", "%6dodel", "__proto__", "explain%00")
    pairs = [f"{random.choice(names)}={_quoted(random)}" for _ in range(random.choice((1, 2, 3, 300)))]
    target = f"{random.choice(ROUTES)}?" + random.choice(("&", "&", ";")).join(pairs)
    return _request("query", (random.choice(("POST", "POST", "GET")), target[:30_000]), page[:100])


def _quoted(random: Random) -> str:
    value = random.choice((*NAMES, *VALUES))
    return quote(value, safe="%") if not once_in(10, random) else quote(random.randbytes(20))


def _path(random: Random, page: bytes) -> Case:
    shapes: tuple[str, ...] = (
        "/models/{}/{}/card",
        "/v2/models/{}/versions/{}",
        "/v2/models/{}/versions/{}/infer",
        "/v2/models/{}/infer",
    )
    shapes += ("/v2/models/{}/ready", "/v2/models/{}", "/web/{}", "/{}/{}", "//{}", "/models/{}", "/v2/{}/{}")
    target = random.choice(shapes).format(*(quote(random.choice(NAMES), safe="%/:@*") for _ in range(2)))
    return _request("path", (random.choice(METHODS), target), page[: random.choice((0, 20))])


def _header(random: Random, page: bytes) -> Case:
    given = [(random.choice(HEADERS), random.choice(VALUES)) for _ in range(random.choice((1, 2, 5, 50)))]
    given += random.sample(given, 1) if once_in(3, random) else []
    start, body = (random.choice(("GET", "POST")), random.choice(ROUTES)), page[:50]
    if once_in(10, random):
        start, body = ("POST", "/classify"), page
    case = _request("header", start, body, given)
    head_bytes = len(case.raw) - len(body)
    printable = not any(char in value for _, value in given for char in "\x01\x7f")
    return replace(case, is_http=printable and head_bytes < _LARGEST_HEAD_BYTES)


def _host(random: Random, _: bytes) -> Case:
    host = random.choice(HOSTS)
    case = _request("host", (random.choice(("GET", "POST")), random.choice(ROUTES)), host=host)
    if once_in(3, random):
        return replace(case, raw=case.raw.replace(b"\r\n", b"\r\nHost: localhost\r\n", 1), is_http=False)
    return replace(case, is_http=host.isascii())


def _method(random: Random, page: bytes) -> Case:
    return _request("method", (random.choice(METHODS), random.choice(ROUTES)), page[: random.choice((0, 1, 2000))])


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
    method, target = random.choice(("POST", "POST", "GET")), random.choice(("/classify", random.choice(ROUTES)))
    head = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *lines, "", ""))
    return Case("framing", method, target, head.encode() + body, is_http=False)


def _chunked(random: Random, page: bytes) -> Case:
    """A body in chunks, as it may be sent."""
    body = spoil(random, page) if once_in(3, random) else page[:3000]
    chunks: list[bytes] = []
    while body:
        size = random.choice((1, 100, 70_000)) if len(chunks) < _MOST_CHUNKS else len(body)
        chunks.append(b"%x\r\n%b\r\n" % (len(body[:size]), body[:size]))
        body = body[size:]
    target = random.choice(("/classify", "/v2/models/production/infer"))
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Case("chunked", "POST", target, head.encode() + b"".join(chunks) + b"0\r\n\r\n")


def _infer(random: Random, page: bytes) -> Case:
    """The Open Inference Protocol, in JSON or with the pages behind it."""
    page = spoil_image(random, page) if once_in(3, random) else page[:300]
    behind = struct.pack("<I", len(page)) + page if once_in(2, random) else b""
    entry: dict[str, object] = {"name": "page", "datatype": "BYTES", "shape": [1]}
    entry |= (
        {"parameters": {"binary_data_size": len(behind)}} if behind else {"data": [base64.b64encode(page).decode()]}
    )
    request: dict[str, object] = {"id": "a", "inputs": [entry]}
    odd: Sequence[object] = (
        None,
        -1,
        0,
        1e308,
        10**40,
        "",
        "é\ud800",
        [],
        {},
        [[]] * 300,
        True,
        [1] * 17,
        [[["a"]]],
        LONG,
    )
    for _ in range(random.choice((0, 1, 1, 3))):
        holder = random.choice((request, entry, entry))
        holder[random.choice((*holder, "parameters", "outputs", "extra"))] = random.choice(odd)
    text = json.dumps(request).encode()
    if once_in(3, random):
        text = random.choice((spoil(random, text), b"[" * 5000, b'{"inputs":' * 3000, b"NaN", b"\xef\xbb\xbf" + text))
    length = random.choice((len(text), len(text), len(text), 0, len(text) + len(behind), len(text) + 1, 10**30))
    headers = [("Inference-Header-Content-Length", str(length))] if behind or once_in(10, random) else []
    if behind and once_in(3, random):
        behind = spoil(random, behind)
    model = random.choice(("production", "production", "tiny/versions/1", "fusion/versions/1", "damaged"))
    return _request("infer", ("POST", f"/v2/models/{model}/infer"), text + behind, headers)


def _wire(random: Random, page: bytes) -> Case:
    """A request that is spoiled as bytes, its head mostly."""
    case = random.choice((_form, _query, _header, _infer, _chunked))(random, page)
    return replace(case, kind="wire", raw=spoil(random, case.raw), is_http=False)


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
