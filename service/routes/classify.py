"""POST /classify."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from service import errors
from service.answers import Answer
from service.classify import classify
from service.problems import refuse
from service.results.codes import Subject
from service.results.fhir import FHIR_MEDIA_TYPE, fhir_transaction
from service.results.hl7 import HL7_MEDIA_TYPE, hl7_message
from service.routes.common import (
    PAGE_BODY,
    PROTECTED,
    DeadlineHeader,
    IdempotencyKeyHeader,
    PageQuery,
    WorkRoute,
    accepted,
    asked_by,
    page_problems,
    service_of,
)
from service.schemas.classification import Classification
from shared_preproc.errors import PreprocError

__all__ = ["router"]

_JSON = "application/json"
_MEDIA_TYPES = (_JSON, FHIR_MEDIA_TYPE, HL7_MEDIA_TYPE)
_VARY = {"Vary": "Accept"}
_FHIR = {"schema": {"type": "object", "description": "A FHIR R4 transaction."}}
_HL7 = {"schema": {"type": "string", "description": "An ORU^R01 message."}}
_Identifier = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,64}$")]


async def _subject(
    x_patient_id: Annotated[_Identifier | SkipJsonSchema[None], Header(description="The patient's id.")] = None,
    x_order_number: Annotated[_Identifier | SkipJsonSchema[None], Header(description="The placer's order.")] = None,
) -> Subject:
    """Say whose ECG it is: for FHIR and HL7 only; never logged, recorded or read off the page."""
    return Subject(x_patient_id, x_order_number)


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
    responses={
        200: {"content": {FHIR_MEDIA_TYPE: _FHIR, HL7_MEDIA_TYPE: _HL7}, "description": "The probabilities."},
        **page_problems(errors.AuditUnavailableError, errors.IdempotencyConflictError),
    },
)
async def classify_page(
    request: Request,
    query: Annotated[ClassifyQuery, Query()],
    subject: Annotated[Subject, Depends(_subject)],
    idempotency_key: IdempotencyKeyHeader = None,
    deadline_ms: DeadlineHeader = None,
) -> Response:
    """How probable each class is, for the page and for each of its thirteen leads, and whether a person has to look.

    With `Accept: application/fhir+json` the answer is a FHIR R4 transaction, with `application/hl7-v2` an ORU^R01
    message. `X-Patient-ID` and `X-Order-Number` go into either, and nowhere else.
    """
    service = service_of(request)
    # Refuse what needs no body before reading it.
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
    media_type = accepted(request, _MEDIA_TYPES)
    response = _response(answer, media_type, subject)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _response(answer: Answer, media_type: str, subject: Subject) -> Response:
    if isinstance(answer.content, PreprocError):
        return refuse(answer.content, answer.first_request_id)
    if media_type == _JSON:
        return Response(answer.content, media_type=_JSON, headers=_VARY)
    result, now = Classification.model_validate_json(answer.content), datetime.now(UTC)
    if media_type == FHIR_MEDIA_TYPE:
        content = json.dumps(fhir_transaction(result, subject, now), ensure_ascii=False).encode()
    else:
        content = hl7_message(result, subject, now)
    return Response(content, media_type=media_type, headers=_VARY)
