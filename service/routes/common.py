"""What routes share: early rejection, query, body, caller, and the description of problems.

A dependency is ``async`` even where it waits for nothing: FastAPI calls any other in a thread, which waits for the
interpreter lock that the workers hold.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import HTTPConnection

from service import errors
from service.answers import Asked
from service.auth.access import Access
from service.errors import (
    CrossSiteError,
    ForbiddenError,
    InternalError,
    InvalidRequestError,
    IssuerUnavailableError,
    RateLimitedError,
    UnauthorizedError,
    UntrustedHostError,
)
from service.problems import problem_responses
from service.state import Service
from service.upload import FILE_PART
from shared_preproc.errors import (
    NotAnEcgPageError,
    UndecodableImageError,
    UnreadableLeadsError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)

__all__ = [
    "ACCESS_REFUSALS",
    "DEADLINE_HEADER",
    "PAGE_BODY",
    "PROTECTED",
    "DeadlineHeader",
    "IdempotencyKeyHeader",
    "PageQuery",
    "WorkRoute",
    "asked_by",
    "page_problems",
    "service_of",
]

ACCESS_REFUSALS = (
    UnauthorizedError,
    ForbiddenError,
    UntrustedHostError,
    CrossSiteError,
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
    """Return what identifies a request for an answer."""
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
    description="A key of the operator's, or a token of its issuer; where it asks for one.",
)

PROTECTED = (Depends(_KNOWN_CALLER),)
"""``dependencies`` of every router whose routes hold data."""


_BINARY = {"schema": {"type": "string", "format": "binary"}}
PAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One report page or recording; judged by its content, whatever the media type says. Pictures, "
        "and where their readers are installed PDF, DICOM, a zip of a WFDB record, MUSE XML and Philips XML.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE_PART],
                    "additionalProperties": False,
                    "properties": {FILE_PART: {"type": "string", "format": "binary"}},
                }
            },
            "image/jpeg": _BINARY,
            "image/png": _BINARY,
            "image/tiff": _BINARY,
            "image/webp": _BINARY,
            "image/bmp": _BINARY,
            "image/gif": _BINARY,
            "application/pdf": _BINARY,
            "application/dicom": _BINARY,
            "application/zip": _BINARY,
            "application/xml": _BINARY,
            "application/octet-stream": _BINARY,
        },
    }
}
"""``openapi_extra`` of such a route."""

_REFUSALS: tuple[type[Exception], ...] = (
    errors.BodyTooLargeError,
    UnsupportedFormatError,
    errors.MissingFileError,
    errors.UnexpectedPartsError,
    UndecodableImageError,
    UnsuitableDimensionsError,
    NotAnEcgPageError,
    UnreadableLeadsError,
    InvalidRequestError,
    errors.MalformedMultipartError,
    errors.MalformedHttpError,
    errors.IncompleteBodyError,
    errors.BodyTimeoutError,
    errors.UnknownModelError,
    errors.NotReadyError,
    errors.OverloadedError,
    errors.DeadlineExceededError,
    errors.BrokenModelError,
    errors.ModelTooLargeError,
    errors.RegistryUnavailableError,
    InternalError,
    *ACCESS_REFUSALS,
)


class WorkRoute(APIRoute):
    """A route that rejects requests while the queue is full, before it looks at their key, query or body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, with a look at the queue in front."""
        handle = super().get_route_handler()

        async def handle_if_there_is_room(request: Request) -> Response:
            service_of(request).workers.check_room()
            return await handle(request)

        return handle_if_there_is_room


class PageQuery(BaseModel):
    """The query string; a parameter that is not here is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[
        str | None,
        Field(description="An alias, a name (its newest version) or `name/version`. Left out: the default model."),
    ] = None


def page_problems(*beside: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Describe how such a route refuses, and ``beside``: its ``responses``."""
    return problem_responses(*_REFUSALS, *beside)
