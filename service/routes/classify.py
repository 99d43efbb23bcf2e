"""POST /classify. Knows HTTP, not how a page is classified."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service import errors
from service.classify import classify
from service.dependencies import ACCESS_REFUSALS, PROTECTED, DeadlineDep, RepeatableDep, ServiceDep
from service.problems import InternalError, InvalidRequestError, problem_responses
from service.schemas import Classification
from service.upload import FILE_PART, read_upload
from shared_preproc.errors import (
    NotAnEcgPageError,
    UndecodableImageError,
    UnreadableLeadsError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)

__all__ = ["router"]

router = APIRouter(tags=["classification"], dependencies=PROTECTED)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_REQUEST_BODY: dict[str, Any] = {
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


class ClassifyQuery(BaseModel):
    """The query string; a parameter that is not here is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[
        str | None,
        Field(description="An alias, a name (its newest version) or `name/version`. Left out: the default model."),
    ] = None
    explain: Annotated[
        bool, Field(description="Whether each lead comes with its share of the evidence, and where in time it lies.")
    ] = False


@router.post(
    "/classify",
    summary="Classify one report page",
    response_model=Classification,
    openapi_extra={"requestBody": _REQUEST_BODY},
    responses=problem_responses(
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
        errors.AuditUnavailableError,
        errors.IdempotencyConflictError,
        errors.DeadlineExceededError,
        errors.BrokenModelError,
        errors.ModelTooLargeError,
        errors.RegistryUnavailableError,
        InternalError,
        *ACCESS_REFUSALS,
    ),
)
async def classify_page(
    request: Request,
    query: Annotated[ClassifyQuery, Query()],
    service: ServiceDep,
    asked: RepeatableDep,
    deadline_ms: DeadlineDep = None,
) -> Response:
    """How probable each class is, for the page and for each of its thirteen leads, and whether a person has to look."""
    settings = service.settings
    # What can be refused without the body is refused before it is read.
    service.answers.check_recorded()
    model = await service.models.get(query.model)
    request.state.bundle = model.manifest.ref
    read = partial(read_upload, max_body_bytes=settings.max_body_bytes)
    work = partial(classify, model=model, critical_sensitivity=settings.critical_sensitivity, explaining=query.explain)
    give = partial(service.answers.give, asked, model.manifest)
    answer, replayed = await service.admission.serve(request, read, work, give, deadline_ms=deadline_ms)
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(answer.body(), headers=headers, media_type="application/json")
