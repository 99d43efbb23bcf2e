"""POST /reading."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from service.reading import read_leads
from service.routes.common import PAGE_BODY, PROTECTED, DeadlineHeader, PageQuery, WorkRoute, page_problems, service_of
from service.schemas.reading import PageReadingAnswer
from shared_preproc.spec import PreprocSpec

__all__ = ["router"]

router = APIRouter(tags=["classification"], route_class=WorkRoute, dependencies=PROTECTED)


class ReadingQuery(PageQuery):
    """The query string."""

    examine: Annotated[
        bool,
        Field(
            description="`false`: a page is read that `/classify` refuses for what it shows, so that a person sees why."
        ),
    ] = True


@router.post(
    "/reading",
    summary="See what is read off a page",
    response_model=PageReadingAnswer,
    openapi_extra=PAGE_BODY,
    responses=page_problems(),
)
async def read(
    request: Request, query: Annotated[ReadingQuery, Query()], deadline_ms: DeadlineHeader = None
) -> Response:
    """The page in gray and each lead's box, the ink found in it and its curve in mV, before any model has a say."""
    service = service_of(request)
    model = await service.models.get(query.model)
    request.state.bundle = model.manifest.ref
    spec, request_id = model.manifest.preprocessing, request.state.request_id
    async with service.admission.slot(request, deadline_ms=deadline_ms) as page:
        answer = await service.workers.run(_read, page, spec, request_id, judging=query.examine)
    return Response(answer, media_type="application/json")


def _read(page: bytes, spec: PreprocSpec, request_id: str, *, judging: bool) -> bytes:
    """Return the answer's JSON: writing a megabyte of it would block the event loop."""
    reading = read_leads(page, spec, judging=judging)
    return PageReadingAnswer.of(reading, request_id).model_dump_json().encode()
