"""What routes share: early rejection, caller, query, body, and the description of problems.

Every dependency is ``async``: FastAPI runs others in a thread, which waits for the workers' interpreter lock.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import HTTPConnection

from digitize.errors import UndigitizedPageError
from service import errors
from service.answers import Asked
from service.auth.access import Access
from service.errors import InvalidRequestError
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
    "KNOWN_QUERY",
    "PAGE_BODY",
    "PROTECTED",
    "WITH_KEY",
    "DeadlineHeader",
    "IdempotencyKeyHeader",
    "PageQuery",
    "WorkRoute",
    "accepted",
    "asked_by",
    "page_problems",
    "service_of",
]

ACCESS_REFUSALS = (
    errors.UnauthorizedError,
    errors.ForbiddenError,
    errors.UntrustedHostError,
    errors.CrossSiteError,
    errors.RateLimitedError,
    errors.IssuerUnavailableError,
    InvalidRequestError,
)
"""Refusals of a `PROTECTED` route before it does anything."""

DEADLINE_HEADER = "X-Request-Deadline-Ms"
_LONGEST_DEADLINE_MS = 24 * 3600 * 1000
_LONGEST_QUERY_BYTES = 2048
"""Parsing 60 KiB would block the event loop for tenths of a second."""
_MOST_NAMES = 3
_LONGEST_NAME = 40
"""Limits on the unknown parameters that a refusal repeats."""
_NotSent = SkipJsonSchema[None]
"""Left out, but never null."""
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
    """Return the running service."""
    return cast("Service", request.state.service)


def asked_by(request: Request, idempotency_key: str | None = None) -> Asked:
    """Return who asks, and how."""
    return Asked(
        request_id=request.state.request_id,
        key_id=getattr(request.state, "key_id", None),
        idempotency_key=idempotency_key,
        # Not request.url, which is built from the Host header as well.
        target=f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}",
    )


class _KnownCaller(HTTPBearer):  # which describes it in OpenAPI
    async def __call__(self, request: HTTPConnection) -> None:
        """Authenticate and count the caller (``request.state.key_id``)."""
        access: Access = request.state.service.access
        request.state.key_id = await access.caller_id(request.headers.getlist("authorization"))
        access.count(request.state.key_id)
        if len(request.scope["query_string"]) > _LONGEST_QUERY_BYTES:
            raise InvalidRequestError(f"a query string of more than {_LONGEST_QUERY_BYTES} bytes")


_KNOWN_CALLER = _KnownCaller(
    scheme_name="key or token",
    description="A key of the operator's, or a token of its issuer; where it asks for one.",
)


async def _refuse_unknown_query(request: Request) -> None:
    """Reject unknown and repeated parameters: the answer would not be the one asked for."""
    known = {name for field in request.scope["route"].dependant.query_params for name in _names(field)}
    given = [name for name, _ in request.query_params.multi_items()]
    unknown = [name for name in given if name not in known]
    if unknown:
        words = ", ".join(f'"{_shown(name)}"' for name in dict.fromkeys(unknown[:_MOST_NAMES]))
        raise InvalidRequestError(f"the unknown query parameter {words}", ", ".join(sorted(known)) or "no parameters")
    if len(given) > len(set(given)):
        twice = next(name for name in given if given.count(name) > 1)
        raise InvalidRequestError(f'the query parameter "{twice}" more than once', "each parameter once")


def _names(field: Any) -> Iterable[str]:  # noqa: ANN401 - FastAPI gives this class no public name
    model = field.field_info.annotation
    return model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else (field.alias,)


def _shown(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


KNOWN_QUERY = Depends(_refuse_unknown_query)
"""Not for probes, scrapes and files, which no parameter must make fail."""
WITH_KEY = (Depends(_KNOWN_CALLER),)
"""``dependencies`` of /metrics."""
PROTECTED = (*WITH_KEY, KNOWN_QUERY)
"""``dependencies`` of every route with data."""


_BINARY = {"type": "string", "format": "binary"}
_PICTURES = ("image/jpeg", "image/png", "image/tiff", "image/webp", "image/bmp", "image/gif")
_FILES = ("application/pdf", "application/dicom", "application/zip", "application/xml", "application/octet-stream")
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
                    "properties": {FILE_PART: _BINARY},
                }
            },
            **{media_type: {"schema": _BINARY} for media_type in (*_PICTURES, *_FILES)},
        },
    }
}
"""``openapi_extra`` of a route that takes a page."""

_REFUSALS: tuple[type[Exception], ...] = (
    errors.BodyTooLargeError,
    UnsupportedFormatError,
    errors.MissingFileError,
    errors.UnexpectedPartsError,
    UndecodableImageError,
    UnsuitableDimensionsError,
    NotAnEcgPageError,
    UnreadableLeadsError,
    UndigitizedPageError,
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
    errors.InternalError,
    *ACCESS_REFUSALS,
)


class WorkRoute(APIRoute):
    """A route that rejects requests while the queue is full, before it looks at key, query or body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind that check."""
        handle = super().get_route_handler()

        async def handle_if_there_is_room(request: Request) -> Response:
            service_of(request).workers.check_room()
            return await handle(request)

        return handle_if_there_is_room


class PageQuery(BaseModel):
    """The query string."""

    model: Annotated[
        str | _NotSent,
        Field(description="An alias, a name (its newest version) or `name/version`. Left out: the default model."),
    ] = None


def accepted(request: Request, media_types: Sequence[str]) -> str:
    """Choose the media type that Accept names first; by default the first of ours."""
    accept = request.headers.get("accept", "")
    return min((name for name in media_types if name in accept), key=accept.index, default=media_types[0])


def page_problems(*beside: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route that takes a page, and ``beside``."""
    return problem_responses(*_REFUSALS, *beside)
