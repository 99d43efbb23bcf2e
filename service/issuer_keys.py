"""The public keys with which an OpenID Connect issuer signs its tokens. Knows no token and no HTTP of ours.

Fetched in a thread, since `urllib` blocks; kept in memory, and fetched anew before anyone has to wait for it. PyJWT's
own client fetches in the caller's thread, and once more for every key id that it does not know, so that anyone could
make the service call the issuer.
"""

import asyncio
import contextlib
import json
import logging
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from jwt import PyJWK, PyJWKSet

from service.access_errors import IssuerUnavailableError
from service.host import is_loopback

__all__ = ["IssuerKeys", "fetch_keys", "is_secure_url"]

REFRESH_S = 3600.0
"""Time after which keys are fetched anew, asked for or not, so that one that the issuer withdrew stops working."""
KEEP_S = 24 * 3600.0
"""Age until which they are used while the issuer does not answer."""
RETRY_S = 30.0
"""At most one fetch in this time, however many tokens name keys that are not known; one that failed is tried again."""
FETCH_S = 5.0
"""Time of a fetch. No token waits longer for one, though it may take its thread longer to find the issuer's address."""
MAX_DOCUMENT_BYTES = 2**20
# A shared secret among them would let tokens be signed with it; a key for encryption signs nothing.
_SIGNING = frozenset({"RSA", "EC", "OKP"})

Keys = Mapping[str, PyJWK]

logger = logging.getLogger(__name__)


class IssuerKeys:
    """Keys by their id, through ``fetch``, which blocks. Only for the event loop's own thread."""

    def __init__(self, fetch: Callable[[], Keys], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._next_fetch: asyncio.TimerHandle | None = None

    async def find(self, key_id: str) -> PyJWK | None:
        """The key of this id; ``None``: the issuer publishes none. Waits for the issuer only where it is not known.

        Raises:
            IssuerUnavailableError: there are no keys, or none young enough, and they cannot be fetched.
        """
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
            # All who wait share one fetch, which goes on when one of them leaves.
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
        except Exception as error:  # noqa: BLE001 - whatever the issuer sends, the service goes on without
            # Its text may quote what was received.
            logger.warning("issuer_keys_not_fetched", extra={"fields": {"reason": type(error).__name__}})
        finally:
            self._fetching = None
            self._next_fetch = asyncio.get_running_loop().call_later(next_s, self._begin_fetch)


def fetch_keys(issuer: str, jwks_url: str | None = None) -> Keys:
    """Get the issuer's keys for signatures; where it has them, it says itself (OpenID Connect Discovery 1.0, 4).

    Raises:
        OSError: there is no answer in time, or another than 200.
        ValueError: the answer is not what it should be.
        PyJWTError: there is no usable key in it.
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
    """Whether no one on the way can change what comes from there: https, or this very machine."""
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
    # One could lead from https to http, or into the network behind the service.
    def redirect_request(self, *_: object) -> None:
        return None


def _get_json(url: str, end_s: float) -> dict[str, Any]:
    document = json.loads(_get(url, end_s))
    if not isinstance(document, dict):
        raise ValueError("the document is no JSON object")  # noqa: TRY004 - it is the content that is wrong
    return document


def _get(url: str, end_s: float) -> bytes:
    content = b""
    with urllib.request.build_opener(_NoRedirect).open(url, timeout=_left_s(end_s)) as response:
        # Piece by piece: urllib's timeout starts anew with each.
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
