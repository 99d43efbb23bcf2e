"""What surrounds every exchange: its id, its headers, its line in the log."""

import logging
import re

import httpx
import pytest

from tests.service.serving import wait_until


def request_logged(caplog: pytest.LogCaptureFixture, request_id: str) -> dict[str, object]:
    """The fields of the one line about a request; it is written after the client has its answer."""

    def lines() -> list[dict[str, object]]:
        fields = [vars(record)["fields"] for record in caplog.records if record.msg == "request"]
        return [line for line in fields if line["request_id"] == request_id]  # an earlier test's may still come in

    wait_until(lambda: bool(lines()))
    (line,) = lines()
    return line


@pytest.mark.parametrize("given", ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "PACS-17_b.2", "x" * 64])
def test_a_well_formed_id_is_taken_over(client: httpx.Client, given: str) -> None:
    assert client.get("/health", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "a\tb", "a;b", "a/b", "naïve".encode("latin-1"), '"'])
def test_any_other_is_replaced(client: httpx.Client, given: str | bytes) -> None:
    response = client.get("/health", headers=[(b"X-Request-ID", given if isinstance(given, bytes) else given.encode())])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/", "/docs", "/web/style.css", "/models", "/health", "/nowhere"])
def test_security_headers_are_everywhere(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for rule in ("script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "connect-src 'self'"):
        assert rule in policy.split("; ")
    assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["cache-control"] in {"no-store", "no-cache"}
    assert "server" not in headers


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /health", ("GET", "/health", 200)),
        ("GET /health?patient=Doe", ("GET", "/health", 200)),
        ("GET /classify", ("GET", "/classify", 405)),
        ("HEAD /health", ("HEAD", "/health", 200)),
        ("GET /Doe/Jane", ("GET", "none", 404)),
        ("PROPFIND /health", ("other", "/health", 405)),
    ],
)
def test_one_line_for_each_request(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, request_line: str, expected: tuple[str, str, int]
) -> None:
    with caplog.at_level(logging.INFO):
        response = client.request(*request_line.split())
        fields = request_logged(caplog, response.headers["x-request-id"])
    assert fields.keys() == {"method", "route", "status", "code", "duration_ms", "request_id", "key_id"}
    assert (fields["method"], fields["route"], fields["status"]) == expected
