"""What requests that bring pages have in common: early refusal, query, body, and problems."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from service import errors
from service.dependencies import ACCESS_REFUSALS, service_of
from service.problems import InternalError, InvalidRequestError, problem_responses
from service.upload import FILE_PART
from shared_preproc.errors import (
    NotAnEcgPageError,
    UndecodableImageError,
    UnreadableLeadsError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)

__all__ = ["PAGE_BODY", "PageQuery", "WorkRoute", "page_problems"]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
PAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One report page: JPEG, PNG, TIFF, WebP, BMP or GIF, judged by its content, not its media type.",
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
