"""Authenticate callers by ``Authorization: Bearer`` (RFC 6750), and limit their rates."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

from service.auth.keys import KeyFile
from service.auth.oidc import IssuerKeys, Tokens, fetch_keys, is_secure_url, looks_like_token
from service.errors import RateLimitedError, StartupError, UnauthorizedError
from service.host import is_loopback
from service.settings import Settings

__all__ = ["ANONYMOUS", "Access", "RateLimit", "make_access"]

ANONYMOUS = "anonymous"
"""The id of callers without authentication."""

logger = logging.getLogger(__name__)


class Access:
    """Authenticate callers and count their requests."""

    def __init__(self, keys: KeyFile | None, tokens: Tokens | None, limit: "RateLimit | None") -> None:
        self._keys = keys
        self._tokens = tokens
        self._limit = limit

    async def caller_id(self, authorization: Sequence[str]) -> str:
        """Authenticate by the Authorization headers and return the caller's id, or raise a `ServiceError`."""
        if self._keys is None and self._tokens is None:
            return ANONYMOUS
        credentials = _credentials(authorization)
        if self._tokens is not None and looks_like_token(credentials):
            return await self._tokens.caller_id(credentials)
        key_id = None if self._keys is None else self._keys.id_of(credentials)
        if key_id is None:
            raise UnauthorizedError("an unknown API key")
        return key_id

    def count(self, caller_id: str) -> None:
        """Count a request, or raise `RateLimitedError`."""
        if self._limit is not None:
            self._limit.take(caller_id)


def make_access(settings: Settings) -> Access:
    """Build the access control; raise `StartupError` for settings that contradict each other or admit everyone."""
    keys = None if settings.keys_file is None else KeyFile(settings.keys_file)
    access = Access(
        keys,
        _tokens(settings),
        None if settings.rate_limit_per_minute is None else RateLimit(settings.rate_limit_per_minute),
    )
    _check_anonymous(settings, open_to_all=settings.keys_file is None and settings.oidc_issuer is None)
    return access


def _check_anonymous(settings: Settings, *, open_to_all: bool) -> None:
    if settings.allow_anonymous and not open_to_all:
        raise StartupError("ECG_ALLOW_ANONYMOUS is true, but ECG_KEYS_FILE or ECG_OIDC_ISSUER is set: which is meant?")
    if not open_to_all or is_loopback(settings.host):
        return
    if not settings.allow_anonymous:
        raise StartupError(
            f"ECG_HOST is {settings.host}, which others can reach, and nothing says who may use the service. "
            "Set ECG_KEYS_FILE or ECG_OIDC_ISSUER; or ECG_ALLOW_ANONYMOUS=true, if anyone may."
        )
    logger.warning("anyone_may", extra={"fields": {"host": settings.host}})


def _tokens(settings: Settings) -> Tokens | None:
    issuer, audience = settings.oidc_issuer, settings.oidc_audience
    if not any((issuer, audience, settings.oidc_jwks_url, settings.oidc_required_scope)):
        return None
    if issuer is None or audience is None:
        raise StartupError("ECG_OIDC_… settings need ECG_OIDC_ISSUER and ECG_OIDC_AUDIENCE: set both, or unset all.")
    for name, url in (("ECG_OIDC_ISSUER", issuer), ("ECG_OIDC_JWKS_URL", settings.oidc_jwks_url)):
        if url is not None and not is_secure_url(url):
            raise StartupError(f"{name}: not an https address.")
    return Tokens(
        IssuerKeys(partial(fetch_keys, issuer, settings.oidc_jwks_url)),
        issuer=issuer,
        audience=audience,
        required_scope=settings.oidc_required_scope,
    )


def _credentials(authorization: Sequence[str]) -> str:
    if not authorization:
        raise UnauthorizedError("no key and no token")
    scheme, _, credentials = authorization[0].partition(" ")
    if len(authorization) > 1 or scheme.lower() != "bearer" or not credentials.strip():
        raise UnauthorizedError("an Authorization header that is not `Bearer`, a space and a key")
    return credentials.strip()


MINUTE_S = 60.0
_PRUNE_FROM = 1024
_ROUNDING_S = 1e-6


class RateLimit:
    """A token bucket of a minute's requests for each caller, kept as the time when it is full."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._full_at: dict[str, float] = {}
        self._prune_from = _PRUNE_FROM

    def take(self, caller_id: str) -> None:
        """Count a request, or raise `RateLimitedError`."""
        now = self._clock()
        full_at = max(self._full_at.get(caller_id, now), now) + MINUTE_S / self._per_minute
        too_early_s = full_at - now - MINUTE_S
        if too_early_s > _ROUNDING_S:
            raise RateLimitedError(self._per_minute, math.ceil(too_early_s))
        self._full_at[caller_id] = full_at
        if len(self._full_at) >= self._prune_from:
            self._full_at = {caller: at for caller, at in self._full_at.items() if at > now}
            self._prune_from = max(_PRUNE_FROM, 2 * len(self._full_at))
