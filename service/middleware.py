"""ASGI middleware around every route: request id, log line, metrics, headers, trusted hosts."""

import asyncio
import logging
import os
import re
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import CrossSiteError, InternalError, UntrustedHostError
from service.host import LOOPBACK_NAME, is_loopback
from service.http import HEARING
from service.problems import refuse
from service.settings import Settings
from service.telemetry.metrics import NONE, Metrics, RequestFacts
from service.telemetry.trace import TRACE_HEADER, TraceContext

if TYPE_CHECKING:
    from service.telemetry.spans import Spans

__all__ = [
    "ANY_HOST",
    "FRAMEWORK_TELEMETRY",
    "REQUEST_ID_HEADER",
    "HearOut",
    "RequestContext",
    "TrustedHosts",
    "trusted_hosts",
]

REQUEST_ID_HEADER = "X-Request-ID"
ANY_HOST = "*"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_AS_SENT = tuple((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items())

FRAMEWORK_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
"""Off: it would send addresses, queries and exceptions."""

_REQUEST_ID, _TRACE, _CACHE_CONTROL = (
    name.lower().encode() for name in (REQUEST_ID_HEADER, TRACE_HEADER, "Cache-Control")
)
_Header = tuple[bytes, bytes]
_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
_ABSOLUTE_FORM = re.compile(rb"https?://([^/]*)(/.*)?", re.IGNORECASE)

logger = logging.getLogger(__name__)


class HearOut:
    """Receive the rest of the body before a connection closes. Must be the outermost middleware.

    uvicorn closes at once, and a client that still sends loses the response (RFC 9112, 9.6).
    """

    def __init__(self, app: ASGIApp, *, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        if scope["type"] != "http" or not _closes(scope):
            await self._app(scope, receive, send)
            return
        body_ended = responded = False

        async def receive_noting() -> Message:
            nonlocal body_ended
            message = await receive()
            body_ended = not message.get("more_body", False)
            return message

        async def send_all_but_the_end(message: Message) -> None:
            nonlocal responded
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                responded = True
                message = {**message, "more_body": True}
            await send(message)

        await self._app(scope, receive_noting, send_all_but_the_end)
        if responded:
            scope["state"][HEARING] = True
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_s):
                    while not body_ended:
                        await receive_noting()
            await send({"type": "http.response.body", "body": b""})


class RequestContext:
    """Give each exchange an id (``request.state.request_id``), a log line, metrics, a span and headers.

    A route that fails answers with a problem document.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, spans: "Spans | None") -> None:
        self._app = app
        self._metrics = metrics
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":
            # Routes see GET; uvicorn keeps the original scope and sends no body.
            scope = {**scope, "method": "GET"}
        exchange = _Exchange(scope, method, self._metrics, self._spans)

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = exchange.start_response(message["status"], message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, send_completed)
        except Exception:
            logger.exception("internal_error", extra={"fields": exchange.identity})
            if exchange.status is None:
                await refuse(InternalError(), exchange.request_id)(scope, receive, send_completed)
        finally:
            exchange.end()


class TrustedHosts:
    """Reject requests to other host names (DNS rebinding), and posts from other sites' pages.

    The connection's own address is trusted: rebinding needs a name, and probes use the address.
    """

    def __init__(self, app: ASGIApp, *, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not self._is_trusted(scope):
            await refuse(UntrustedHostError(), scope["state"]["request_id"])(scope, receive, send)
        elif _is_cross_site_post(scope):
            await refuse(CrossSiteError(), scope["state"]["request_id"])(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_trusted(self, scope: Scope) -> bool:
        _read_absolute_form(scope)
        if ANY_HOST in self._names:
            return True
        given = [value for name, value in scope["headers"] if name == b"host"]
        if not given and scope["http_version"] == "1.0":  # an old probe; browsers send Host
            return True
        match = _HOST.fullmatch(given[0].decode("latin-1")) if len(given) == 1 else None
        if match is None:
            return False
        name = (match["address"] or match["name"]).lower()
        return name in self._names or name == (scope.get("server") or ("",))[0]


def trusted_hosts(settings: Settings, host: str) -> frozenset[str]:
    """Return the trusted names; by default ``localhost`` on loopback, else `ANY_HOST`."""
    if settings.trusted_hosts is not None:
        return frozenset(name.strip().lower() for name in settings.trusted_hosts.split(","))
    return frozenset({LOOPBACK_NAME if is_loopback(host) else ANY_HOST})


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, method: str, metrics: Metrics, spans: "Spans | None") -> None:
        self._started_s = perf_counter()
        self._metrics = metrics
        self._scope = scope
        self._method = method if method in _METHODS else "other"
        self.status: int | None = None
        """None until the response begins."""
        given = dict(reversed(scope["headers"]))  # the first of a name wins
        self.request_id = _request_id(given.get(_REQUEST_ID))
        parent = TraceContext.parse(given[_TRACE].decode("latin-1")) if _TRACE in given else None
        self._span = None if spans is None else spans.begin(parent, self._started_s)
        self._trace = self._span.context if self._span else parent and parent.child()
        self._state: MutableMapping[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self.request_id

    @property
    def identity(self) -> dict[str, str]:
        """Request id, and trace id if any."""
        trace = {} if self._trace is None else {"trace_id": self._trace.trace_id}
        return {"request_id": self.request_id, **trace}

    def start_response(self, status: int, route_headers: Iterable[_Header]) -> list[_Header]:
        """Note the status; return all headers."""
        self.status = status
        headers = [*route_headers, (_REQUEST_ID, self.request_id.encode())]
        if self._trace is not None:
            headers.append((_TRACE, self._trace.header.encode()))
        if _CACHE_CONTROL not in dict(headers):
            headers.append((_CACHE_CONTROL, b"no-store"))
        headers += _AS_SENT  # no route sets any of these
        return headers

    def end(self) -> None:
        """Count and log the exchange."""
        ended_s = perf_counter()
        duration_s = ended_s - self._started_s
        status = NONE if self.status is None else self.status
        facts = RequestFacts(
            route=getattr(self._scope.get("route"), "path", NONE),
            method=self._method,
            status=str(status),
            code=self._state.get("problem_code", NONE),
            bundle=self._state.get("bundle", NONE),
        )
        self._metrics.count_request(facts, duration_s)
        if self._span is not None:
            self._span.end(facts, self.request_id, ended_s)
        line = {
            "method": facts.method,
            "route": facts.route,
            "status": status,
            "code": facts.code,
            "duration_ms": duration_s * 1000,
            "key_id": self._state.get("key_id", NONE),
            **self.identity,
        }
        logger.info("request", extra={"fields": line})


def _is_cross_site_post(scope: Scope) -> bool:
    site = dict(scope["headers"]).get(b"sec-fetch-site", b"none")
    return scope["method"] not in _SAFE_METHODS and site in {b"cross-site", b"same-site"}


def _closes(scope: Scope) -> bool:
    asked = (value.lower() for name, value in scope["headers"] if name == b"connection")
    return scope["http_version"] == "1.0" or any(b"close" in value for value in asked)


def _read_absolute_form(scope: Scope) -> None:
    """Split a target like ``http://localhost/health`` (RFC 9112, 3.2.2)."""
    if match := _ABSOLUTE_FORM.fullmatch(scope.get("raw_path", b"")):
        raw_path = match[2] or b"/"
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope.update(path=unquote(raw_path.decode()), raw_path=raw_path, headers=[(b"host", match[1]), *others])


def _request_id(given: bytes | None) -> str:
    return given.decode() if given is not None and _WELL_FORMED_ID.fullmatch(given) else os.urandom(16).hex()
