"""What the requests that bring one page have in common: query, body, and how they can be refused. Knows no route."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from service import errors
from service.dependencies import ACCESS_REFUSALS
from service.intake import Arrival
from service.problems import InternalError, InvalidRequestError, problem_responses
from service.state import Service
from service.upload import FILE_PART, read_upload
from shared_preproc.errors import (
    NotAnEcgPageError,
    UndecodableImageError,
    UnreadableLeadsError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)

__all__ = ["PAGE_BODY", "PageQuery", "page_problems", "page_reader"]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
PAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One report page, JPEG or PNG; judged by its content, whatever the media type says.",
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


def page_reader(service: Service) -> Callable[[Request, Arrival], Awaitable[bytes]]:
    """Read the page of a request's body, as large as the service takes one."""
    return partial(read_upload, max_body_bytes=service.settings.max_body_bytes)
