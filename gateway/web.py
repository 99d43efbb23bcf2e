"""What STOW-RS and FHIR have in common: a client, and a post that may be repeated."""

from http import HTTPStatus

import httpx

from gateway.errors import RejectedError, UnreachableError
from gateway.settings import GatewaySettings

__all__ = ["post", "post_fhir", "web_client"]

_FHIR = "application/fhir+json"
_TIMEOUT_S = 30.0
_LATER = frozenset(
    [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS]
)


def web_client(settings: GatewaySettings, token: str | None) -> httpx.Client:
    """An HTTP client that shows our certificate, if there is one, and a bearer token or other credentials."""
    headers = {"Authorization": token if " " in token else f"Bearer {token}"} if token else {}
    return httpx.Client(headers=headers, timeout=_TIMEOUT_S, verify=settings.client_tls(), trust_env=False)


def post(client: httpx.Client, url: str, content: bytes, headers: dict[str, str], peer: str) -> httpx.Response:
    """Post something that is safe to post again.

    Raises:
        UnreachableError: no answer, or one that says to come again.
        RejectedError: the peer refuses it.
    """
    try:
        response = client.post(url, content=content, headers=headers)
    except httpx.HTTPError as error:
        raise UnreachableError(f"{peer} does not answer: {type(error).__name__}") from error
    status = response.status_code
    if response.is_success:
        return response
    later = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER
    raise (UnreachableError if later else RejectedError)(f"{peer} answers {status}")


def post_fhir(client: httpx.Client, base_url: str, transaction: bytes) -> None:
    """Post a transaction whose entries are created only if they are new.

    Raises:
        UnreachableError, RejectedError: as `post`.
    """
    headers = {"Content-Type": _FHIR, "Accept": _FHIR}
    post(client, base_url, transaction, headers, "the FHIR server")
