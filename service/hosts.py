"""Which names this service may be called by. Knows no route.

The name is that of the request's target where it holds one, as in ``GET http://localhost/health HTTP/1.1``, and else
that of its Host header. By it, a browser tells that it was led to this service under another site's name (DNS
rebinding). Nothing is ever built from it, and nobody gains anything by it: what a caller may is decided by key or token
alone.
"""

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from service.access_errors import UntrustedHostError
from service.loopback import LOOPBACK_NAME, is_loopback
from service.problems import refusal
from service.settings import Settings

__all__ = ["ANY_HOST", "TrustedHosts", "is_trusted", "trusted_hosts"]

ANY_HOST = "*"

_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
_ABSOLUTE_FORM = re.compile(rb"https?://([^/]*)(/.*)?", re.IGNORECASE)


def trusted_hosts(settings: Settings, host: str) -> frozenset[str]:
    """Those that are set; else, for a port on loopback, ``localhost`` alone, and for one anywhere else `ANY_HOST`."""
    if settings.trusted_hosts is not None:
        return frozenset(name.strip().lower() for name in settings.trusted_hosts.split(","))
    return frozenset({LOOPBACK_NAME if is_loopback(host) else ANY_HOST})


def is_trusted(scope: Scope, names: frozenset[str]) -> bool:
    """Say whether a request is made to one of ``names``; path and Host are put where others look for them.

    The address that the connection came to is trusted in any case: rebinding needs a name, and the probes of an
    orchestrator know no other.
    """
    _read_absolute_form(scope)
    if ANY_HOST in names:
        return True
    given = [value for name, value in scope["headers"] if name == b"host"]
    match = _HOST.fullmatch(given[0].decode("latin-1")) if len(given) == 1 else None
    if match is None:
        return False
    name = (match["address"] or match["name"]).lower()
    return name in names or name == (scope.get("server") or ("",))[0]


class TrustedHosts:
    """ASGI middleware, inside `RequestContext`; refuses what is called by another name."""

    def __init__(self, app: ASGIApp, *, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        if scope["type"] != "http" or is_trusted(scope, self._names):
            await self._app(scope, receive, send)
        else:
            await refusal(UntrustedHostError(), scope["state"]["request_id"])(scope, receive, send)


def _read_absolute_form(scope: Scope) -> None:
    """Take path and Host from a target that holds both; the header does not count then (RFC 9112, 3.2.2)."""
    if match := _ABSOLUTE_FORM.fullmatch(scope.get("raw_path", b"")):
        raw_path = match[2] or b"/"
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope.update(path=unquote(raw_path.decode()), raw_path=raw_path, headers=[(b"host", match[1]), *others])
