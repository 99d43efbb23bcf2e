"""What routes need from the framework and the request.

What is only looked up is a plain function that routes call: as a dependency, it takes the framework some 0.05 ms of a
request. A dependency is ``async``, whether it waits or not: any other is called in a thread, and each change of
thread waits for the interpreter's lock, which the threads that read pages hold.
"""

from typing import Annotated, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPBearer
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import HTTPConnection

from service.access import Access
from service.access_errors import (
    ForbiddenError,
    IssuerUnavailableError,
    RateLimitedError,
    UnauthorizedError,
    UntrustedHostError,
)
from service.answers import Asked
from service.problems import InvalidRequestError
from service.state import Service

__all__ = [
    "ACCESS_REFUSALS",
    "DEADLINE_HEADER",
    "PROTECTED",
    "DeadlineHeader",
    "IdempotencyKeyHeader",
    "asked_by",
    "service_of",
]

ACCESS_REFUSALS = (
    UnauthorizedError,
    ForbiddenError,
    UntrustedHostError,
    RateLimitedError,
    IssuerUnavailableError,
    InvalidRequestError,
)
"""How a `PROTECTED` route can refuse before it does anything."""

DEADLINE_HEADER = "X-Request-Deadline-Ms"
_LONGEST_DEADLINE_MS = 24 * 3600 * 1000
_LONGEST_QUERY_BYTES = 2048
"""Far more than all parameters take. Unknown ones are refused one by one: 60 KiB of them would take the event loop
tenths of a second."""
_NotSent = SkipJsonSchema[None]
"""A header can be left out, but no header can be null: the description must not say so."""
IdempotencyKeyHeader = Annotated[
    str | _NotSent,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Your own name for this request: sent again with it, the same page gets the same answer, without "
        "new work. 1 to 255 printable ASCII characters without spaces.",
    ),
]


DeadlineHeader = Annotated[
    int | _NotSent,
    Header(
        alias=DEADLINE_HEADER,
        ge=1,
        le=_LONGEST_DEADLINE_MS,
        description="Milliseconds after which an answer is of no use; the service's own limit holds as well.",
    ),
]


def service_of(request: Request) -> Service:
    """Give what the application serves with."""
    return cast("Service", request.state.service)


def asked_by(request: Request, idempotency_key: str | None = None) -> Asked:
    """Give what identifies a request for an answer; with a key, one that is given again to whoever repeats it."""
    return Asked(
        request_id=request.state.request_id,
        key_id=getattr(request.state, "key_id", None),
        idempotency_key=idempotency_key,
        # Not request.url, which is built from the Host header as well.
        target=f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}",
    )


class _KnownCaller(HTTPBearer):  # which describes it in OpenAPI
    async def __call__(self, request: HTTPConnection) -> None:
        """Let only those on who may, with a query that is not far too long to be parsed.

        Who it is, is in ``request.state.key_id``, for the log and the audit.
        """
        access: Access = request.state.service.access
        request.state.key_id = await access.caller_id(request.headers.getlist("authorization"))
        access.count(request.state.key_id)
        if len(request.scope["query_string"]) > _LONGEST_QUERY_BYTES:
            raise InvalidRequestError(f"a query string of more than {_LONGEST_QUERY_BYTES} bytes")


_KNOWN_CALLER = _KnownCaller(
    scheme_name="key or token",
    description="A key that whoever runs the service gives out, or a token of its issuer; where it asks for one.",
)

PROTECTED = (Depends(_KNOWN_CALLER),)
"""``dependencies`` of every router whose routes hold data."""
