"""Bearer tokens of an OpenID Connect issuer (RFC 7519, RFC 9068): whether one holds, and whose it is.

Knows neither HTTP nor how the issuer's keys are fetched.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from service.access_errors import ForbiddenError, UnauthorizedError
from service.issuer_keys import IssuerKeys

__all__ = ["SIGNATURE_ALGORITHMS", "Tokens", "looks_like_token"]

SIGNATURE_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Those of which the service needs no secret: with HS256, whoever can check a token can make one."""
LEEWAY_S = 30.0
"""How far the issuer's clock and ours may be apart."""
SUBJECT_DIGITS = 16

_FOUND: Mapping[type[Exception], str] = {
    jwt.ExpiredSignatureError: "a token that has expired",
    jwt.ImmatureSignatureError: "a token that is not valid yet",
    jwt.InvalidAudienceError: "a token for another audience",
    jwt.InvalidIssuerError: "a token of another issuer",
}
"""What is told apart. Only a token whose signature holds gets as far as these, so a forger learns nothing."""
_UNVERIFIABLE = "a token that cannot be verified"


def looks_like_token(credentials: str) -> bool:
    """Whether this is a JSON Web Token and no key: three parts with points between."""
    return credentials.count(".") == 2  # noqa: PLR2004 - as the sentence above says


class Tokens:
    """Checks tokens of one issuer, for one audience."""

    def __init__(
        self, keys: IssuerKeys, *, issuer: str, audience: str, algorithms: Sequence[str], required_scope: str | None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._algorithms = list(algorithms)
        self._required_scope = required_scope

    async def caller_id(self, token: str) -> str:
        """Who holds this token: ``oidc:`` and the start of a hash of issuer and subject.

        A hash, because a subject can be a name or an e-mail address, which belong into no log.

        Raises:
            UnauthorizedError: the token does not hold.
            ForbiddenError: it does, without the scope that is asked for.
            IssuerUnavailableError: the issuer's keys cannot be fetched.
        """
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
                algorithms=self._algorithms,
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
    """Scopes as RFC 9068 and Microsoft Entra write them: words in ``scope`` or ``scp``, or a list in ``roles``."""
    granted: set[str] = set()
    for value in map(claims.get, ("scope", "scp", "roles")):
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        granted.update(word for word in words if isinstance(word, str))
    return granted
