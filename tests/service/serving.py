"""The service under test, behind a real socket, and what its tests say over and over."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

from model_registry.bundle import Bundle
from service.app import create_app
from service.models.onnx import Classifier
from service.server import DrainingServer, make_server
from service.settings import Settings

__all__ = ["PROBLEM_FIELDS", "file_form", "form", "problem", "serving", "settings_for", "wait_until"]

BOUNDARY = "----a-boundary"
PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "expected", "found", "remedy", "request_id"}
TIMEOUT_S = 120.0
"""For what only a broken service never does: a busy machine is no failure."""


def settings_for(models_dir: Path, **changes: Any) -> Settings:
    """Settings of a test: any free port, and quick to stop."""
    fixed: dict[str, Any] = {"port": 0, "shutdown_grace_s": 5}
    return Settings(models_dir=models_dir, **(fixed | changes))


@contextmanager
def serving(
    settings: Settings, open_classifier: Callable[[Bundle], Classifier] | None = None, *, until_ready: bool = True
) -> Iterator[httpx.Client]:
    """A client of a service that runs in a thread of its own."""
    server = make_server(create_app(settings, open_classifier), settings)
    thread = Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        with httpx.Client(base_url=f"http://127.0.0.1:{_port(server)}", timeout=TIMEOUT_S) as client:
            if until_ready:
                wait_until(lambda: client.get("/health").is_success)
            yield client
    finally:
        server.should_exit = True
        thread.join()


def _port(server: DrainingServer) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], limit_s: float = TIMEOUT_S, pause_s: float = 0.01) -> None:
    """Return as soon as the condition holds; fail when it has not for ``limit_s``."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause_s)


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, once it is what every refusal has to be."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert body.keys() == PROBLEM_FIELDS
    assert body["status"] == status
    assert body["type"].endswith(f":{code}")
    assert body["request_id"] == response.headers["x-request-id"]
    assert all(body[field] for field in PROBLEM_FIELDS)
    return body


def form(*parts: tuple[str, bytes], close: bool = True) -> dict[str, Any]:
    """Arguments of a request with a multipart body of these parts: the rest of Content-Disposition, and content."""
    pieces = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {names}\r\n\r\n".encode() + content + b"\r\n"
        for names, content in parts
    ]
    content = b"".join(pieces) + (f"--{BOUNDARY}--\r\n".encode() if close else b"")
    return {"content": content, "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}}


def file_form(content: bytes) -> dict[str, Any]:
    """Arguments of a request as a browser makes it for one chosen file."""
    return form(('name="file"; filename="Jane Doe.jpg"', content))
