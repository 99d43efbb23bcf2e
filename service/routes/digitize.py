"""POST /digitize."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from service.routes.common import PAGE_BODY, PROTECTED, DeadlineHeader, WorkRoute, accepted, page_problems, service_of
from service.schemas.signals import SignalsAnswer
from service.signals import Signals, read_signals

__all__ = ["router"]

router = APIRouter(tags=["signals"], route_class=WorkRoute, dependencies=PROTECTED)

_JSON, _CSV, _WFDB, _OVERLAY = "application/json", "text/csv", "application/zip", "image/jpeg"
_FILE = {"schema": {"type": "string", "format": "binary"}}
_WRITERS: dict[str, Callable[[Signals], bytes]] = {_CSV: Signals.csv, _WFDB: Signals.wfdb, _OVERLAY: Signals.overlay}


@router.post(
    "/digitize",
    summary="Read a page into signals",
    response_model=SignalsAnswer,
    openapi_extra=PAGE_BODY,
    responses={
        200: {"content": dict.fromkeys(_WRITERS, _FILE), "description": "The twelve leads in millivolt."},
        **page_problems(),
    },
)
async def digitize_page(request: Request, deadline_ms: DeadlineHeader = None) -> Response:
    """Twelve leads in millivolt of any cart's page, or of a recording. A page is refused rather than guessed.

    `Accept` says in which form: `application/json`, `text/csv`, `application/zip` for a WFDB record, or `image/jpeg`
    for the page with the curves drawn over it.
    """
    service = service_of(request)
    media_type = accepted(request, (_JSON, *_WRITERS))
    async with service.admission.slot(request, deadline_ms=deadline_ms) as page:
        answer = await service.workers.run(_answer, page, media_type, request.state.request_id)
    return Response(answer, media_type=media_type, headers={"Vary": "Accept"})


def _answer(page: bytes, media_type: str, request_id: str) -> bytes:
    signals = read_signals(page)
    if media_type == _JSON:
        return SignalsAnswer.of(signals, request_id).model_dump_json().encode()
    return _WRITERS[media_type](signals)
