"""Metrics on a port of their own, told apart by the listening socket: no client can forge that."""

import socket

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import StartupError
from service.middleware import FRAMEWORK_TELEMETRY, TrustedHosts
from service.problems import handle_errors
from service.routes import metrics
from service.settings import Settings

__all__ = ["MetricsPort", "bind_metrics_port"]


class MetricsPort:
    """ASGI middleware: what arrives at ``port``, called by one of ``names``, finds the metrics and nothing else."""

    def __init__(self, app: ASGIApp, *, port: int, names: frozenset[str]) -> None:
        self._app = app
        self._port = port
        self._metrics = TrustedHosts(_metrics_app(), names=names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        here = scope["type"] == "http" and scope["server"][1] == self._port
        await (self._metrics if here else self._app)(scope, receive, send)


def bind_metrics_port(settings: Settings) -> socket.socket | None:
    """Take the port, without listening yet; None where the metrics have no port of their own.

    Raises:
        StartupError: it is the service's own, or cannot be had.
    """
    if settings.metrics_port is None or not settings.metrics_enabled:
        return None
    if settings.metrics_port == settings.port:
        raise StartupError("ECG_METRICS_PORT and ECG_PORT are the same. Choose another, or leave ECG_METRICS_PORT out.")
    try:
        return _bound(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        raise StartupError(f"ECG_METRICS_HOST and ECG_METRICS_PORT cannot be listened on: {error.strerror}.") from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _metrics_app() -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False, telemetry=FRAMEWORK_TELEMETRY)
    handle_errors(app)
    app.include_router(metrics.router)
    return app
