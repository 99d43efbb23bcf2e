"""What every HTTP exchange gets around its route: an id, a line in the log, headers, an answer if the route breaks.

Knows no route. The log line holds nothing that a client writes, but for a well-formed request id.
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping, MutableMapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import NONE, Metrics, RequestFacts
from service.problems import internal_error
from service.trace_context import TRACE_HEADER, TraceContext

if TYPE_CHECKING:
    from service.spans import Spans

__all__ = ["FRAMEWORK_TELEMETRY", "REQUEST_ID_HEADER", "Exchange", "RequestContext", "Telemetry"]

REQUEST_ID_HEADER = "X-Request-ID"

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
"""None: FastAPI's own would send addresses, queries and the text of exceptions wherever its environment says."""

_REQUEST_ID, _TRACE, _CACHE_CONTROL = (
    name.lower().encode() for name in (REQUEST_ID_HEADER, TRACE_HEADER, "Cache-Control")
)
_Header = tuple[bytes, bytes]
_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

logger = logging.getLogger(__name__)


class Telemetry(NamedTuple):
    """What is told of every exchange, beside the log."""

    metrics: Metrics
    spans: "Spans | None"
    """None where none are sent."""


class RequestContext:
    """ASGI middleware; the id is in ``request.state.request_id``."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":
            # Routed as GET in a scope of ours: the server, which looks at its own, then leaves out the body.
            scope = {**scope, "method": "GET"}
        exchange = Exchange(scope, method, self._telemetry)

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = exchange.begin_answer(message["status"], message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, send_completed)
        except Exception:
            logger.exception("internal_error", extra={"fields": exchange.identity})
            if exchange.status is None:
                await internal_error(exchange.request_id)(scope, receive, send_completed)
        finally:
            exchange.end()


class Exchange:
    """One request and what becomes of it, from when it is made; ``method`` is the client's own."""

    def __init__(self, scope: Scope, method: str, telemetry: Telemetry) -> None:
        self._started_s = perf_counter()
        self._metrics, spans = telemetry
        self._scope = scope
        self._method = method if method in _METHODS else "other"
        self.status: int | None = None
        """Of the answer, once it has begun."""
        given = dict(reversed(scope["headers"]))  # of several of one name, the first
        self.request_id = _request_id(given.get(_REQUEST_ID))
        parent = TraceContext.parse(given[_TRACE].decode("latin-1")) if _TRACE in given else None
        self._span = None if spans is None else spans.begin(parent, self._started_s)
        self._trace = self._span.context if self._span else parent and parent.child()
        self._state: MutableMapping[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self.request_id

    @property
    def identity(self) -> dict[str, str]:
        """What ties a line of the log to this exchange, and to the trace that it is a part of."""
        trace = {} if self._trace is None else {"trace_id": self._trace.trace_id}
        return {"request_id": self.request_id, **trace}

    def begin_answer(self, status: int, of_route: Iterable[_Header]) -> list[_Header]:
        """Note the status, and give the route's headers with those that every answer has."""
        self.status = status
        headers = [*of_route, (_REQUEST_ID, self.request_id.encode())]
        if self._trace is not None:
            headers.append((_TRACE, self._trace.header.encode()))
        if _CACHE_CONTROL not in dict(headers):
            headers.append((_CACHE_CONTROL, b"no-store"))
        headers += _AS_SENT
        return headers  # no route has any of them, but for Cache-Control

    def end(self) -> None:
        """Count and log it."""
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
            "duration_ms": duration_s * 1000,
            "key_id": self._state.get("key_id", NONE),
            **self.identity,
        }
        logger.info("request", extra={"fields": line})


def _request_id(given: bytes | None) -> str:
    return given.decode() if given is not None and _WELL_FORMED_ID.fullmatch(given) else os.urandom(16).hex()
