"""What routes ask for, as annotated types. Knows no route."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from service.access_errors import (
    ForbiddenError,
    IssuerUnavailableError,
    RateLimitedError,
    UnauthorizedError,
    UntrustedHostError,
)
from service.state import Service

__all__ = ["ACCESS_REFUSALS", "PROTECTED", "RequestIdDep", "ServiceDep"]

ACCESS_REFUSALS = (
    UnauthorizedError,
    ForbiddenError,
    UntrustedHostError,
    RateLimitedError,
    IssuerUnavailableError,
)
"""How a `PROTECTED` route can refuse before it does anything."""


def _service(request: Request) -> Service:
    return cast("Service", request.state.service)


def _request_id(request: Request) -> str:
    return cast("str", request.state.request_id)


ServiceDep = Annotated[Service, Depends(_service)]
RequestIdDep = Annotated[str, Depends(_request_id)]


async def _known_caller(request: Request, service: ServiceDep) -> None:
    """Let only those on who may; who it is, is in ``request.state.key_id``, for the log and the audit."""
    request.state.key_id = await service.access.caller_id(request.headers.getlist("authorization"))
    service.access.count(request.state.key_id)


_BEARER = HTTPBearer(
    scheme_name="key or token",
    description="A key that whoever runs the service gives out, or a token of its issuer; where it asks for one.",
    auto_error=False,
)

PROTECTED = (Depends(_known_caller), Depends(_BEARER))
"""``dependencies`` of every router whose routes hold data; the second only describes it in OpenAPI."""
