"""What was read off a page before any model: its gray picture, each lead's mask and curve."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from service.examination import ImageFacts, examined_page
from service.telemetry.timing import Clock
from shared_preproc.layout import Box
from shared_preproc.leads import LEADS, Lead
from shared_preproc.masks import Mask
from shared_preproc.page import Gray
from shared_preproc.placement import Placement
from shared_preproc.spec import PreprocSpec
from shared_preproc.traces import Trace

__all__ = ["LeadReading", "PlacedTrace", "Reading", "read_leads"]

# Of a report page a third of what JPEG makes at quality 85, and exact: 0.4 MB in 30 ms; level 6 takes three times that.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 2)
_PAPER = 1  # the level of paper in a mask's PNG, which is transparent


@dataclass(frozen=True, eq=False)
class PlacedTrace:
    """A curve, and where it lies in its lead's crop: pixel centres counted from the crop's first, down and right."""

    trace: Trace
    rate_hz: float
    """Samples a second."""
    start_px: float
    """Column of the first sample; outside of the crop by up to 2 px where columns of leads do not meet at its edge."""
    step_px: float
    """Columns from one sample to the next."""
    zero_px: float
    """Row of 0 mV."""
    px_per_mv: float


@dataclass(frozen=True, eq=False)
class LeadReading:
    """What was read in one lead's box."""

    lead: Lead
    box: Box
    mask_png: bytes
    """1 bit a pixel, as large as the box: ink black, paper transparent."""
    placed: PlacedTrace


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read off one page."""

    image: ImageFacts
    placement: Placement
    """How the page was brought to the printed form."""
    gray_png: bytes
    """The page, 8 bits a pixel: exactly what was read, in place of the printed form."""
    gray_shape: tuple[int, int]
    """Its rows and columns."""
    preprocessing: str
    """Fingerprint of the numbers by which it was read."""
    leads: tuple[LeadReading, ...]
    """In clinical order."""
    timings_ms: Mapping[str, float]
    """Of each step, and ``total``."""


def read_leads(data: bytes, spec: PreprocSpec, *, judging: bool = True) -> Reading:
    """Decode one report page and read every lead off it, as for a model of ``spec``.

    Unless ``judging``, what has the size of a page is read, whatever it shows.

    Raises:
        PreprocError: the bytes are no report page that ``spec`` accepts, or one that cannot be read.
    """
    clock = Clock()
    page = examined_page(data, spec, clock, judging=judging)
    boxes, reading = dict(spec.layout.lead_boxes), page.reading
    with clock.step("encode"):
        gray_png = _gray_png(page.page.gray)
        leads = tuple(
            LeadReading(
                lead, boxes[lead], _mask_png(reading.masks[lead]), _placed(reading.traces[lead], boxes[lead], spec)
            )
            for lead in LEADS
        )
    height_px, width_px = page.page.gray.shape
    return Reading(
        page.image, page.placement, gray_png, (height_px, width_px), spec.fingerprint, leads, clock.timings_ms()
    )


def _placed(trace: Trace, box: Box, spec: PreprocSpec) -> PlacedTrace:
    """Where the samples were taken; tests/service/test_reading.py holds it to the ink."""
    layout, reader = spec.layout, spec.trace
    px_per_s = layout.px_per_s
    column_px = reader.column_s * px_per_s
    return PlacedTrace(
        trace=trace,
        rate_hz=reader.rate_hz,
        start_px=reader.start_px + round((box.left - reader.start_px) / column_px) * column_px - box.left,
        step_px=px_per_s / reader.rate_hz,
        zero_px=reader.zero_row_px(box) - box.top,
        px_per_mv=layout.px_per_mv,
    )


def _gray_png(gray: Gray) -> bytes:
    return bytes(cv2.imencode(".png", gray, _PNG)[1])


def _mask_png(mask: Mask) -> bytes:
    """Not OpenCV, which writes no transparent level."""
    paper = Image.frombytes("1", mask.shape[::-1], np.packbits(mask == 0, axis=1).tobytes())
    content = io.BytesIO()
    paper.save(content, "PNG", transparency=_PAPER)
    return content.getvalue()
