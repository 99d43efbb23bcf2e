"""The response of POST /reading."""

from base64 import b64encode
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service.reading import LeadReading, PlacedTrace, Reading
from service.schemas.classification import Image, Milliseconds, Placement, Positive
from shared_preproc.layout import Box
from shared_preproc.leads import Lead

__all__ = ["PageReadingAnswer"]

_MV_DIGITS = 3
"""A pixel is 0.013 mV."""

Millivolt = Annotated[float, Field(allow_inf_nan=False)]
Pixels = Annotated[float, Field(allow_inf_nan=False)]


class Picture(BaseModel):
    """A picture inside JSON."""

    media_type: Literal["image/png"] = "image/png"
    data: Annotated[str, Field(description="The file, in base64.", json_schema_extra={"contentEncoding": "base64"})]

    @classmethod
    def of(cls, content: bytes) -> "Picture":
        """Give a PNG file the form in which it is sent."""
        return cls(data=b64encode(content).decode())


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

    @classmethod
    def of(cls, box: Box) -> "LeadBox":
        """Give a box the form in which it is sent."""
        return cls(left_px=box.left, top_px=box.top, width_px=box.width_px, height_px=box.height_px)


class LeadTrace(BaseModel):
    """A lead's curve. Sample k lies at column `start_px + k * step_px`, its value v at row `zero_px - v * px_per_mv`.

    Columns and rows count from the centre of the crop's first pixel. A tall beat leaves the crop.
    """

    model_config = ConfigDict(from_attributes=True)

    rate_hz: Annotated[Positive, Field(description="Samples a second.")]
    start_px: Annotated[Pixels, Field(description="Column of the first sample.")]
    step_px: Annotated[Positive, Field(description="Columns between samples.")]
    zero_px: Annotated[Pixels, Field(description="Row of 0 mV.")]
    px_per_mv: Positive
    signal_mv: Annotated[list[Millivolt], Field(description="The curve, upward positive.")]
    top_mv: Annotated[list[Millivolt], Field(description="Upper edge of the drawn band, without the pen's width.")]
    bottom_mv: Annotated[list[Millivolt], Field(description="Its lower edge.")]

    @classmethod
    def of(cls, placed: PlacedTrace) -> "LeadTrace":
        """Give a curve the form in which it is sent."""
        return cls(
            rate_hz=placed.rate_hz,
            start_px=placed.start_px,
            step_px=placed.step_px,
            zero_px=placed.zero_px,
            px_per_mv=placed.px_per_mv,
            signal_mv=_rounded(placed.trace.signal_mv),
            top_mv=_rounded(placed.trace.top_mv),
            bottom_mv=_rounded(placed.trace.bottom_mv),
        )


class LeadAnswer(BaseModel):
    """What was read in one lead's box."""

    lead: Lead
    box: LeadBox
    mask: Annotated[Picture, Field(description="As large as the box, 1 bit a pixel: ink black, paper transparent.")]
    trace: LeadTrace

    @classmethod
    def of(cls, reading: LeadReading) -> "LeadAnswer":
        """Give what was read in a box the form in which it is sent."""
        return cls(
            lead=reading.lead,
            box=LeadBox.of(reading.box),
            mask=Picture.of(reading.mask_png),
            trace=LeadTrace.of(reading.placed),
        )


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

    @classmethod
    def of(cls, reading: Reading, request_id: str) -> "PageReadingAnswer":
        """Give a reading the form in which it is sent."""
        height_px, width_px = reading.gray_shape
        return cls(
            request_id=request_id,
            image=Image.model_validate(reading.image),
            placement=Placement.model_validate(reading.placement),
            preprocessing=reading.preprocessing,
            page=GrayPage(width_px=width_px, height_px=height_px, gray=Picture.of(reading.gray_png)),
            leads=[LeadAnswer.of(lead) for lead in reading.leads],
            timings_ms=ReadingTimingsMs.model_validate(reading.timings_ms),
        )


def _rounded(curve: NDArray[np.float32]) -> list[float]:
    rounded: list[float] = curve.astype(np.float64).round(_MV_DIGITS).tolist()
    return rounded
