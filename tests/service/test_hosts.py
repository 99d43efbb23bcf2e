"""The Host header: other names are refused where that helps, and tricks with it gain nothing anywhere."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope

from service.auth.keys import new_key
from service.middleware import TrustedHosts, trusted_hosts
from tests.factories import page_jpeg
from tests.service.serving import problem, serving, settings_for

KEY, LINE = new_key("pacs")


@pytest.fixture(scope="module")
def any_host(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service with keys that may be called by any name."""
    keys_file = tmp_path_factory.mktemp("keys") / "keys"
    keys_file.write_text(LINE)
    with serving(settings_for(models_dir, keys_file=keys_file, trusted_hosts="*")) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost:8000", "127.0.0.1", "127.0.0.1:1", "localhost:65535"]
)
def test_on_loopback_its_own_names_are_trusted(client: httpx.Client, host: str) -> None:
    assert client.get("/models", headers={"Host": host}).is_success


@pytest.mark.parametrize("path", ["/", "/classify", "/models", "/health", "/health/live", "/web/style.css", "/nowhere"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.2",
        "10.0.0.5:8000",
        "[::1]",
        "localhost:",
        "localhost:80:80",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost/health",
        "localhost, evil.example",
        "xn--lcalhost-x1a",
        "0x7f000001",
        "2130706433",
        "",
    ],
)
def test_on_loopback_other_names_are_refused(client: httpx.Client, host: str, path: str) -> None:
    body = problem(client.get(path, headers={"Host": host}), 421, "untrusted_host")
    assert "evil" not in str(body)


def test_names_can_be_set(models_dir: Path) -> None:
    with serving(settings_for(models_dir, trusted_hosts="ecg.example.org, ECG"), until_ready=False) as client:
        for host in ("ecg.example.org", "ecg:8000", "127.0.0.1"):
            assert client.get("/health/live", headers={"Host": host}).is_success
        for host in ("localhost", "sub.ecg.example.org"):
            problem(client.get("/health/live", headers={"Host": host}), 421, "untrusted_host")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "localhost"), ("::1", "localhost"), ("localhost", "localhost"), ("::", "*")],
)
def test_what_is_trusted_where_nothing_is_set(models_dir: Path, host: str, expected: str) -> None:
    assert trusted_hosts(settings_for(models_dir), host) == {expected}
    assert trusted_hosts(settings_for(models_dir, trusted_hosts="A, b"), host) == {"a", "b"}


@pytest.mark.parametrize(
    "request_head",
    [
        "GET /models HTTP/1.1\r\nHost: evil.example",
        "GET /models HTTP/1.1\r\nHost: localhost/health?",
        "GET /models HTTP/1.1\r\nHost: localhost/health#",
        "GET /models HTTP/1.1\r\nHost: @localhost/health\\",
        "GET /models HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: localhost/health",
        "GET /models HTTP/1.1\r\nHost: localhost\r\nX-Original-URL: /health\r\nX-Rewrite-URL: /health",
        "GET /models HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Prefix: /health\r\nX-Forwarded-For: 127.0.0.1",
        "GET /models HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: OPTIONS",
        "GET /models HTTP/1.0",
        "GET /models?/health HTTP/1.1\r\nHost: localhost",
        "GET http://localhost/models HTTP/1.1\r\nHost: localhost",
        "GET http://localhost/%6dodels HTTP/1.1\r\nHost: localhost/health",
        "GET /%6dodels HTTP/1.1\r\nHost: localhost",
        "POST /classify HTTP/1.1\r\nHost: localhost:8000/health/live\r\nContent-Length: 0",
    ],
)
def test_no_trick_gets_past_the_key(any_host: httpx.Client, request_head: str) -> None:
    answer = sent(any_host, request_head)
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]


@pytest.mark.parametrize(
    "target",
    [
        "//models",
        "/models/",
        "/MODELS",
        "/health/../models",
        "/health/..%2fmodels",
        "/models%00",
        "http:/models",
        "http://a//models",
    ],
)
def test_other_ways_to_write_a_path_lead_nowhere(any_host: httpx.Client, target: str) -> None:
    answer = sent(any_host, f"GET {target} HTTP/1.1\r\nHost: localhost")
    assert answer.split()[1] in {b"400", b"404"}, answer[:200]
    assert b'"models"' not in answer


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost/health/live", "localhost", 200),
        ("HTTP://LOCALHOST:8000/health/live?x=http://evil.example/", "evil.example", 200),
        ("https://127.0.0.1/%68ealth/live", "localhost", 200),
        ("http://localhost", "localhost", 200),
        ("http://localhost?x", "localhost", 200),
        ("http://localhost/nowhere", "localhost", 404),
        ("http://localhost/http://localhost/health/live", "localhost", 404),
        ("http://evil.example/health/live", "localhost", 421),
        ("http://localhost@evil.example/health/live", "localhost", 421),
        ("http:///health/live", "localhost", 421),
    ],
)
def test_a_target_that_names_the_host_itself_is_read(client: httpx.Client, target: str, host: str, status: int) -> None:
    assert sent(client, f"GET {target} HTTP/1.1\r\nHost: {host}").split()[1] == str(status).encode()


def test_two_host_headers_are_refused(client: httpx.Client) -> None:
    assert sent(client, "GET /models HTTP/1.1\r\nHost: localhost\r\nHost: localhost").split()[1] == b"400"


@pytest.mark.parametrize(("times", "status"), [(0, 421), (1, 200), (2, 421)])
def test_the_one_host_header_is_not_left_to_the_server_alone(times: int, status: int) -> None:
    async def status_of(scope: Scope) -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await TrustedHosts(Response(), names=frozenset({"localhost"}))(scope, Request(scope).receive, send)
        return int(sent[0]["status"])

    headers = [(b"host", b"localhost")] * times
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "headers": headers, "state": {"request_id": "1"}}
    assert asyncio.run(status_of(scope)) == status


def test_nothing_in_an_answer_comes_from_the_host_header(any_host: httpx.Client) -> None:
    for path in ("/", "/docs", "/openapi.json", "/models", "/nowhere", "/web", "/health/"):
        response = any_host.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil" not in response.text + str(response.headers)
        assert not response.is_redirect


def sent(client: httpx.Client, head: str) -> bytes:
    """What comes back for these bytes, to the end of the connection."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_post_from_another_site_is_rejected(models_dir: Path, site: str) -> None:
    with serving(settings_for(models_dir)) as client:
        refused = client.post("/classify", content=page_jpeg(), headers={"Sec-Fetch-Site": site})
        problem(refused, 403, "cross_site")
        assert client.get("/", headers={"Sec-Fetch-Site": site}).is_success


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_post_from_its_own_page_or_a_program_is_taken(models_dir: Path, site: str | None) -> None:
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    with serving(settings_for(models_dir)) as client:
        assert client.post("/classify", content=page_jpeg(), headers=headers).is_success
