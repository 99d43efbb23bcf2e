"""POST /digitize."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from digitize import Digitized, StatedScale
from digitize.digitized import Source
from service.routes.common import PAGE_BODY, PROTECTED, DeadlineHeader, WorkRoute, accepted, page_problems, service_of
from service.schemas.page import FromOurs, Placement, Positive, SourceOfPage
from service.signals import Signals, read_signals
from shared_preproc.leads import Lead
from shared_preproc.recording import RECORDED_LEADS

__all__ = ["router"]

_MV_DIGITS = 3
_PITCH_MM = 5
_Known = Annotated[float, Field(allow_inf_nan=False)]


class PageScale(FromOurs):
    """Millimetres to seconds and millivolt, and how that is known."""

    speed_mm_s: Positive
    speed_source: Source
    gain_mm_mv: Positive
    gain_source: Source
    pulse_mm: Annotated[_Known | None, Field(description="Height of the calibration pulse; null: none was found.")]
    residual_mm: Annotated[_Known, Field(description="RMS distance of the grid's lines from the map of the page.")]
    tilt_deg: Annotated[_Known, Field(description="Of the page in the picture, clockwise.")]
    px_per_mm_across: Annotated[Positive, Field(description="Pixels of the picture in a printed millimetre.")]
    px_per_mm_down: Positive


class PageChecks(FromOurs):
    """How well the leads agree; null where the page does not have what it takes."""

    einthoven: Annotated[_Known | None, Field(description="RMS of II - I - III over the RMS of its terms.")]
    goldberger: Annotated[_Known | None, Field(description="The same of aVR + aVL + aVF.")]
    strip: Annotated[_Known | None, Field(description="The same of the rhythm strip and its lead.")]
    clock: Annotated[_Known | None, Field(description="How well the columns' beats fall on the strip's, -1 to 1.")]


class PageFacts(FromOurs):
    """How another cart's page was read."""

    layout: Annotated[str, Field(examples=["3x4"])]
    scale: PageScale
    checks: PageChecks
    by_position: Annotated[list[Lead], Field(description="Leads whose names follow from their places.")]


class LeadSignal(BaseModel):
    """One lead from its first sample to its last."""

    lead: Lead
    start_s: Annotated[float, Field(ge=0, description="When the first sample was taken, on the clock of all leads.")]
    signal_mv: Annotated[list[_Known | None], Field(description="Null within the lead: it could not be read there.")]


class SignalsAnswer(BaseModel):
    """The ECG as signals."""

    request_id: str
    source: SourceOfPage
    doubts: Annotated[list[str], Field(description="What was not proven, in sentences.")]
    placement: Annotated[Placement | None, Field(description="How an EDAN page was brought to its form; else null.")]
    page: Annotated[PageFacts | None, Field(description="How another cart's page was read; else null.")]
    rate_hz: Annotated[Positive, Field(description="Samples a second.")]
    leads: Annotated[
        list[LeadSignal],
        Field(description="I, II, III, aVR, aVL, aVF, V1 to V6. A rhythm strip goes on with its lead."),
    ]

    @classmethod
    def of(cls, signals: Signals, request_id: str) -> "SignalsAnswer":
        recording = signals.recording
        return cls.model_validate(
            {
                "request_id": request_id,
                "source": signals.source,
                "doubts": signals.doubts,
                "placement": signals.placement,
                "page": None if signals.other_page is None else _facts(signals.other_page),
                "rate_hz": recording.rate_hz,
                "leads": [
                    _lead(lead, signal_mv, recording.rate_hz)
                    for lead, signal_mv in zip(RECORDED_LEADS, recording.signal_mv, strict=True)
                ],
            }
        )


class DigitizeQuery(BaseModel):
    """The query string."""

    speed_mm_s: Annotated[
        Literal["25", "50"] | None,
        Field(description="The paper's speed, for a page that does not prove it. Where it proves another: refused."),
    ] = None
    gain_mm_mv: Annotated[Literal["5", "10", "20"] | None, Field(description="The gain, in the same way.")] = None

    @property
    def stated(self) -> StatedScale:
        """As `digitize` takes it."""
        speed, gain = (None if value is None else float(value) for value in (self.speed_mm_s, self.gain_mm_mv))
        return StatedScale(speed, gain)


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
async def digitize_page(
    request: Request, query: Annotated[DigitizeQuery, Query()], deadline_ms: DeadlineHeader = None
) -> Response:
    """Twelve leads in millivolt of any cart's page, or of a recording. A page is refused rather than guessed.

    `Accept` says in which form: `application/json`, `text/csv`, `application/zip` for a WFDB record, or `image/jpeg`
    for the page with the curves drawn over it.
    """
    service = service_of(request)
    media_type = accepted(request, (_JSON, *_WRITERS))
    async with service.admission.slot(request, deadline_ms=deadline_ms) as page:
        answer = await service.workers.run(_answer, page, query.stated, media_type, request.state.request_id)
    return Response(answer, media_type=media_type, headers={"Vary": "Accept"})


def _answer(page: bytes, stated: StatedScale, media_type: str, request_id: str) -> bytes:
    signals = read_signals(page, stated)
    if media_type == _JSON:
        return SignalsAnswer.of(signals, request_id).model_dump_json().encode()
    return _WRITERS[media_type](signals)


def _facts(page: Digitized) -> PageFacts:
    across_px, down_px = page.scale.pitch_px
    scale = {"px_per_mm_across": across_px / _PITCH_MM, "px_per_mm_down": down_px / _PITCH_MM}
    return PageFacts(
        layout=page.layout,
        scale=PageScale.model_validate(vars(page.scale) | scale),
        checks=PageChecks.model_validate(page.checks),
        by_position=[Lead(lead.name) for lead in page.leads if lead.known == "by position"],
    )


def _lead(lead: Lead, signal_mv: NDArray[np.float64], rate_hz: float) -> LeadSignal:
    known = np.flatnonzero(np.isfinite(signal_mv))
    first, end = (int(known[0]), int(known[-1]) + 1) if len(known) else (0, 0)
    samples = [None if np.isnan(value) else value for value in signal_mv[first:end].round(_MV_DIGITS).tolist()]
    return LeadSignal(lead=lead, start_s=first / rate_hz, signal_mv=samples)
