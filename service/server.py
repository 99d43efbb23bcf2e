"""The HTTP server: its ports, and its graceful stop."""

import asyncio
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import StartupError
from service.http import ACCEPTED_AT_ONCE, BACKLOG, TimeoutH11Protocol, check_uvicorn
from service.middleware import FRAMEWORK_TELEMETRY, TrustedHosts
from service.problems import handle_errors
from service.routes import health
from service.settings import Settings

__all__ = ["DrainingServer", "MetricsPort", "bind_metrics_port", "make_server"]

_TICK_S = 0.1
_LAST_BODIES_S = 2.0
"""For arriving bodies at the end; the grace period is for work."""


def make_server(app: FastAPI, settings: Settings) -> "DrainingServer":
    """Make a server for ``app``, or raise `StartupError`."""
    check_uvicorn()
    _check_port(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        backlog=ACCEPTED_AT_ONCE,
        loop="asyncio",  # uvloop is not tested
        http=TimeoutH11Protocol,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the service uses no client address
        timeout_keep_alive=settings.keep_alive_timeout_s,
        # By default, half a body would keep the process alive forever.
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    return DrainingServer(config, drain_delay_s=settings.drain_delay_s, metrics_socket=bind_metrics_port(settings))


class DrainingServer(uvicorn.Server):
    """A server that drains first: /health fails for `drain_delay_s`, while routes still answer."""

    def __init__(
        self, config: uvicorn.Config, *, drain_delay_s: float, metrics_socket: socket.socket | None = None
    ) -> None:
        super().__init__(config)
        self._metrics_socket = metrics_socket
        self._drain_delay_s = drain_delay_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on both ports."""
        await super().startup(sockets)
        if self._metrics_socket is not None:
            loop = asyncio.get_running_loop()
            backlog = self.config.backlog
            self.servers.append(await loop.create_server(self._protocol, sock=self._metrics_socket, backlog=backlog))
        # asyncio has one number for `ACCEPTED_AT_ONCE` and `BACKLOG`.
        for listening in (one for server in self.servers for one in server.sockets):
            with listening.dup() as same:
                same.listen(BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, answer admitted requests, and stop; a second interrupt skips the draining."""
        service = self.lifespan.state["service"]
        service.draining = True
        loop = asyncio.get_running_loop()
        end = loop.time() + self._drain_delay_s
        while loop.time() < end and not self.force_exit:  # noqa: ASYNC110 - a signal handler sets it
            await asyncio.sleep(_TICK_S)
        service.admission.bodies.shorten_timeout(_LAST_BODIES_S)
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn then skips the lifespan, which writes the last audit records
            await self.lifespan.shutdown()

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


class MetricsPort:
    """On ``port``, serve only the metrics."""

    def __init__(self, app: ASGIApp, *, port: int, names: frozenset[str]) -> None:
        self._app = app
        self._port = port
        self._metrics = TrustedHosts(_metrics_app(), names=names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        here = scope["type"] == "http" and scope["server"][1] == self._port
        await (self._metrics if here else self._app)(scope, receive, send)


def bind_metrics_port(settings: Settings) -> socket.socket | None:
    """Bind ECG_METRICS_PORT if it is set, or raise `StartupError`."""
    if settings.metrics_port is None:
        return None
    if settings.metrics_port == settings.port:
        raise StartupError("ECG_METRICS_PORT and ECG_PORT are the same. Choose another, or leave ECG_METRICS_PORT out.")
    try:
        return _bound(settings.host, settings.metrics_port)
    except OSError as error:
        raise StartupError(f"The service cannot listen on ECG_METRICS_PORT: {error.strerror}.") from error


def _check_port(settings: Settings) -> None:
    """Name the setting in the error; uvicorn would not."""
    try:
        _bound(settings.host, settings.port).close()
    except OSError as error:
        raise StartupError(
            f"The service cannot listen on port {settings.port} of {settings.host}: {error.strerror}. "
            "Stop the program that listens there, or set another ECG_PORT."
        ) from error


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
    app.include_router(health.metrics_router)
    return app
