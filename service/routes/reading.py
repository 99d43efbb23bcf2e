"""POST /reading. Knows HTTP, not how a page is read."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from service.dependencies import PROTECTED, DeadlineHeader, service_of
from service.reading import read_leads
from service.reading_schemas import PageReadingAnswer
from service.routes.page_request import PAGE_BODY, PageQuery, page_problems, page_reader
from service.routes.work_route import WorkRoute

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
    request_id: str = request.state.request_id

    def work(data: bytes) -> bytes:
        # To its JSON in the thread: a megabyte of it would hold up every other request.
        reading = read_leads(data, model.manifest.preprocessing, judging=query.examine)
        return PageReadingAnswer.of(reading, request_id).model_dump_json().encode()

    body = await service.admission.serve(request, page_reader(service), work, _give, deadline_ms=deadline_ms)
    return Response(body, media_type="application/json")


async def _give(_: bytes, work: Callable[[], Awaitable[bytes]]) -> bytes:
    """No class is named, so nothing is counted as an answer or recorded."""
    return await work()
