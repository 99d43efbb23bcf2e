"""POST /reading: what is read off a page before any model."""

import io
from base64 import b64encode
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Query, Request, Response
from PIL import Image as PillowImage
from pydantic import BaseModel, Field

from service.examination import examined_page
from service.routes.common import PAGE_BODY, PROTECTED, DeadlineHeader, PageQuery, WorkRoute, page_problems, service_of
from service.schemas.page import Image, Milliseconds, Placement, Positive
from service.telemetry.trace import Clock
from shared_preproc.layout import Box
from shared_preproc.leads import LEADS, Lead
from shared_preproc.masks import Mask
from shared_preproc.spec import PreprocSpec
from shared_preproc.traces import Trace

__all__ = ["read_leads", "router"]

# A third of a JPEG of quality 85, and exact; level 6 takes three times as long.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 2)
_PAPER = 1  # transparent in a mask's PNG
_MV_DIGITS = 3
"""A pixel is 0.013 mV."""

Millivolt = Annotated[float, Field(allow_inf_nan=False)]
Pixels = Annotated[float, Field(allow_inf_nan=False)]


class ReadingQuery(PageQuery):
    """The query string."""

    examine: Annotated[
        bool,
        Field(
            description="`false`: a page is read that `/classify` refuses for what it shows, so that a person sees why."
        ),
    ] = True


class Picture(BaseModel):
    """A picture inside JSON."""

    media_type: Literal["image/png"] = "image/png"
    data: Annotated[str, Field(description="The file, in base64.", json_schema_extra={"contentEncoding": "base64"})]


class GrayPage(BaseModel):
    """The page as it was read: upright, gray."""

    width_px: int
    height_px: int
    gray: Annotated[Picture, Field(description="8 bits a pixel, exactly what the leads were read from.")]


class LeadBox(BaseModel):
    """A lead's place on the page; its crop is cut there."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int


class LeadTrace(BaseModel):
    """A lead's curve. Sample k lies at column `start_px + k * step_px`, its value v at row `zero_px - v * px_per_mv`.

    Columns and rows count from the centre of the crop's first pixel. A tall beat leaves the crop.
    """

    rate_hz: Annotated[Positive, Field(description="Samples a second.")]
    start_px: Annotated[Pixels, Field(description="Column of the first sample.")]
    step_px: Annotated[Positive, Field(description="Columns between samples.")]
    zero_px: Annotated[Pixels, Field(description="Row of 0 mV.")]
    px_per_mv: Positive
    signal_mv: Annotated[list[Millivolt], Field(description="The curve, upward positive.")]
    top_mv: Annotated[list[Millivolt], Field(description="Upper edge of the drawn band, without the pen's width.")]
    bottom_mv: Annotated[list[Millivolt], Field(description="Its lower edge.")]


class LeadAnswer(BaseModel):
    """What was read in one lead's box."""

    lead: Lead
    box: LeadBox
    mask: Annotated[Picture, Field(description="As large as the box, 1 bit a pixel: ink black, paper transparent.")]
    trace: LeadTrace


class ReadingTimingsMs(BaseModel):
    """Wall time of each step, in milliseconds, from the complete upload on."""

    decode: Milliseconds
    preprocess: Milliseconds
    examine: Annotated[Milliseconds | None, Field(description="Null where the page was not examined.")] = None
    encode: Milliseconds
    total: Milliseconds


class PageReadingAnswer(BaseModel):
    """What is read off a page before any model has a say."""

    request_id: str
    image: Image
    placement: Placement
    preprocessing: Annotated[str, Field(description="Fingerprint of the numbers by which it was read.")]
    page: GrayPage
    leads: Annotated[
        list[LeadAnswer],
        Field(description="The twelve leads in clinical order, then the rhythm strip.", min_length=13, max_length=13),
    ]
    timings_ms: ReadingTimingsMs


router = APIRouter(tags=["classification"], route_class=WorkRoute, dependencies=PROTECTED)


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
    """Write JSON in the worker: a megabyte would block the event loop."""
    return read_leads(page, spec, request_id, judging=judging).model_dump_json().encode()


def read_leads(data: bytes, spec: PreprocSpec, request_id: str, *, judging: bool = True) -> PageReadingAnswer:
    """Decode one report page and read every lead, or raise `PreprocError`.

    Unless ``judging``, read any picture of a page's size.
    """
    clock = Clock()
    page = examined_page(data, spec, clock, judging=judging)
    gray, reading, boxes = page.page.gray, page.reading, dict(spec.layout.lead_boxes)
    with clock.step("encode"):
        height_px, width_px = gray.shape
        gray_png = bytes(cv2.imencode(".png", gray, _PNG)[1])
        answer = {
            "request_id": request_id,
            "image": page.image,
            "placement": page.placement,
            "preprocessing": spec.fingerprint,
            "page": {"width_px": width_px, "height_px": height_px, "gray": _picture(gray_png)},
            "leads": [
                {
                    "lead": lead,
                    "box": _box(boxes[lead]),
                    "mask": _picture(_mask_png(reading.masks[lead])),
                    "trace": _placed(reading.traces[lead], boxes[lead], spec),
                }
                for lead in LEADS
            ],
        }
    return PageReadingAnswer.model_validate(answer | {"timings_ms": clock.timings_ms()})


def _picture(png: bytes) -> dict[str, str]:
    return {"data": b64encode(png).decode()}


def _box(box: Box) -> dict[str, int]:
    return {"left_px": box.left, "top_px": box.top, "width_px": box.width_px, "height_px": box.height_px}


def _mask_png(mask: Mask) -> bytes:
    """Encode with Pillow: OpenCV writes no transparent level."""
    paper = PillowImage.frombytes("1", mask.shape[::-1], np.packbits(mask == 0, axis=1).tobytes())
    content = io.BytesIO()
    paper.save(content, "PNG", transparency=_PAPER)
    return content.getvalue()


def _placed(trace: Trace, box: Box, spec: PreprocSpec) -> dict[str, Any]:
    """Find where in its box `shared_preproc.traces` took the samples."""
    layout, reader = spec.layout, spec.trace
    column_px = reader.column_s * layout.px_per_s
    curves = {"signal_mv": trace.signal_mv, "top_mv": trace.top_mv, "bottom_mv": trace.bottom_mv}
    return {
        "rate_hz": reader.rate_hz,
        "start_px": reader.start_px + round((box.left - reader.start_px) / column_px) * column_px - box.left,
        "step_px": layout.px_per_s / reader.rate_hz,
        "zero_px": reader.zero_row_px(box) - box.top,
        "px_per_mv": layout.px_per_mv,
        **{name: curve.astype(np.float64).round(_MV_DIGITS).tolist() for name, curve in curves.items()},
    }
