"""POST /classify."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from service import errors
from service.answers import Answer
from service.classify import classify
from service.problems import refusal
from service.routes.common import (
    PAGE_BODY,
    PROTECTED,
    DeadlineHeader,
    IdempotencyKeyHeader,
    PageQuery,
    WorkRoute,
    asked_by,
    page_problems,
    service_of,
)
from service.schemas.classification import Classification
from shared_preproc.errors import PreprocError

__all__ = ["router"]

router = APIRouter(tags=["classification"], route_class=WorkRoute, dependencies=PROTECTED)


class ClassifyQuery(PageQuery):
    """The query string."""

    explain: Annotated[
        bool, Field(description="Whether each lead comes with its share of the evidence, and where in time it lies.")
    ] = False


@router.post(
    "/classify",
    summary="Classify one report page",
    response_model=Classification,
    openapi_extra=PAGE_BODY,
    responses=page_problems(errors.AuditUnavailableError, errors.IdempotencyConflictError),
)
async def classify_page(
    request: Request,
    query: Annotated[ClassifyQuery, Query()],
    idempotency_key: IdempotencyKeyHeader = None,
    deadline_ms: DeadlineHeader = None,
) -> Response:
    """How probable each class is, for the page and for each of its thirteen leads, and whether a person has to look."""
    service = service_of(request)
    # Whatever can be refused without the body is refused before it is read.
    service.answers.check_recorded()
    model = await service.models.get(query.model)
    request.state.bundle = model.manifest.ref
    async with service.admission.slot(request, deadline_ms=deadline_ms) as page:
        classified = partial(
            service.workers.run,
            classify,
            page,
            model,
            explaining=query.explain,
        )
        asked = asked_by(request, idempotency_key)
        answer, replayed = await service.answers.give(asked, model.manifest, page, classified)
    response = _response(answer)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _response(answer: Answer) -> Response:
    if isinstance(answer.content, PreprocError):
        return refusal(answer.content, answer.first_request_id)
    return Response(answer.content, media_type="application/json")
