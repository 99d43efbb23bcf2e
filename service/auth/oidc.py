"""Check OpenID Connect tokens (RFC 7519, RFC 9068) with the issuer's public keys.

PyJWT's client fetches keys for every unknown key id: anyone could make the service call the issuer.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
from jwt import PyJWK, PyJWKSet

from service.errors import ForbiddenError, IssuerUnavailableError, UnauthorizedError
from service.host import is_loopback

__all__ = ["SIGNATURE_ALGORITHMS", "IssuerKeys", "Tokens", "fetch_keys", "is_secure_url", "looks_like_token"]

SIGNATURE_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric only: whoever checks HS256 tokens can make them."""
LEEWAY_S = 30.0
"""Largest difference between the clocks."""
SUBJECT_DIGITS = 16

_FOUND: Mapping[type[Exception], str] = {
    jwt.ExpiredSignatureError: "a token that has expired",
    jwt.ImmatureSignatureError: "a token that is not valid yet",
    jwt.InvalidAudienceError: "a token for another audience",
    jwt.InvalidIssuerError: "a token of another issuer",
}
"""Only for tokens with a valid signature."""
_UNVERIFIABLE = "a token that cannot be verified"


def looks_like_token(credentials: str) -> bool:
    """Tell a JSON Web Token from a key."""
    return credentials.count(".") == 2  # noqa: PLR2004


class Tokens:
    """Check tokens of one issuer for one audience."""

    def __init__(self, keys: "IssuerKeys", *, issuer: str, audience: str, required_scope: str | None) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._required_scope = required_scope

    async def caller_id(self, token: str) -> str:
        """Return ``oidc:`` and a hash, as the subject can be a name, or raise a `ServiceError`."""
        key = await self._keys.find(_key_id(token))
        if key is None:
            raise UnauthorizedError("a token signed with a key that its issuer does not publish")
        claims = self._claims(token, key)
        if self._required_scope is not None and self._required_scope not in _granted(claims):
            raise ForbiddenError(self._required_scope)
        subject = hashlib.sha256(f"{self._issuer} {claims['sub']}".encode()).hexdigest()
        return f"oidc:{subject[:SUBJECT_DIGITS]}"

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=sorted(SIGNATURE_ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise UnauthorizedError(_FOUND.get(type(error), _UNVERIFIABLE)) from error


def _key_id(token: str) -> str:
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError as error:
        raise UnauthorizedError(_UNVERIFIABLE) from error
    if not isinstance(key_id, str):
        raise UnauthorizedError("a token that does not name its key")
    return key_id


def _granted(claims: Mapping[str, Any]) -> set[str]:
    """Return ``scope`` of RFC 9068, ``scp`` and ``roles`` of Microsoft Entra."""
    granted: set[str] = set()
    for value in map(claims.get, ("scope", "scp", "roles")):
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        granted.update(word for word in words if isinstance(word, str))
    return granted


REFRESH_S = 3600.0
"""A key that the issuer withdrew works this long."""
KEEP_S = 24 * 3600.0
"""Largest age of keys while the issuer is down."""
RETRY_S = 30.0
"""Shortest interval between fetches."""
FETCH_S = 5.0
"""Timeout of a fetch."""
MAX_DOCUMENT_BYTES = 2**20
# No shared secrets.
_SIGNING = frozenset({"RSA", "EC", "OKP"})

Keys = Mapping[str, PyJWK]

logger = logging.getLogger(__name__)


class IssuerKeys:
    """Fetch the issuer's keys in a thread, and keep them. Not thread-safe: for the event loop only."""

    def __init__(self, fetch: Callable[[], Keys], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._next_fetch: asyncio.TimerHandle | None = None

    async def find(self, key_id: str) -> PyJWK | None:
        """Return the key of this id, or None; raise `IssuerUnavailableError` without any keys."""
        if key_id not in self._keys or self._age_s() > KEEP_S:
            await self._refresh()
        if self._age_s() > KEEP_S:
            raise IssuerUnavailableError
        return self._keys.get(key_id)

    def _age_s(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh(self) -> None:
        if self._fetching is None and self._clock() - self._tried_at >= RETRY_S:
            self._begin_fetch()
        if self._fetching is not None:
            left_s = self._tried_at + FETCH_S - self._clock()
            # Requests share one fetch, which outlives each of them.
            await asyncio.wait((self._fetching,), timeout=max(0.0, left_s))

    def _begin_fetch(self) -> None:
        if self._next_fetch is not None:
            self._next_fetch.cancel()
        self._tried_at = self._clock()
        self._fetching = asyncio.create_task(self._replace())

    async def _replace(self) -> None:
        next_s = RETRY_S
        try:
            self._keys = await asyncio.to_thread(self._fetch)
            self._fetched_at, next_s = self._clock(), REFRESH_S
            logger.info("issuer_keys_fetched", extra={"fields": {"keys": len(self._keys)}})
        except Exception as error:  # noqa: BLE001 - its text may quote the issuer
            logger.warning("issuer_keys_not_fetched", extra={"fields": {"reason": type(error).__name__}})
        finally:
            self._fetching = None
            self._next_fetch = asyncio.get_running_loop().call_later(next_s, self._begin_fetch)


def fetch_keys(issuer: str, jwks_url: str | None = None) -> Keys:
    """Fetch the keys from ``jwks_url``, or by OpenID Connect Discovery 1.0, section 4.

    Raises:
        OSError: the answer is late or not 200.
        ValueError, PyJWTError: it holds no usable key.
    """
    end_s = time.monotonic() + FETCH_S
    url = jwks_url or _discovered(issuer, end_s)
    if not is_secure_url(url):
        raise ValueError("the issuer's keys are not behind https")
    published = PyJWKSet.from_dict(_get_json(url, end_s))
    return {
        key.key_id: key
        for key in published
        if key.key_id and key.key_type in _SIGNING and key.public_key_use in {None, "sig"}
    }


def is_secure_url(url: str) -> bool:
    """Return whether the URL is https, or on this machine."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        host = parts.hostname or ""
        return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
    return False


def _discovered(issuer: str, end_s: float) -> str:
    facts = _get_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration", end_s)
    if facts.get("issuer") != issuer:
        raise ValueError("the configuration is another issuer's")
    return str(facts.get("jwks_uri"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    # Redirects could lead to http or into the internal network.
    def redirect_request(self, *_: object) -> None:
        return None


def _get_json(url: str, end_s: float) -> dict[str, Any]:
    document = json.loads(_get(url, end_s))
    if not isinstance(document, dict):
        raise ValueError("the document is no JSON object")  # noqa: TRY004 - wrong content
    return document


def _get(url: str, end_s: float) -> bytes:
    content = b""
    with urllib.request.build_opener(_NoRedirect).open(url, timeout=_left_s(end_s)) as response:
        # urllib's timeout holds for each piece, not for all.
        while piece := response.read1(MAX_DOCUMENT_BYTES):
            content += piece
            if len(content) > MAX_DOCUMENT_BYTES:
                raise ValueError("the document is too large")
            _left_s(end_s)
    return content


def _left_s(end_s: float) -> float:
    left_s = end_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
