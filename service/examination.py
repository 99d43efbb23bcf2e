"""Decode, read and examine one page, and make it a tensor."""

import hashlib
from dataclasses import dataclass, replace

from service.telemetry.timing import Clock
from shared_preproc.evidence import Doubt, examine
from shared_preproc.page import ImageFormat, Page, decode_page
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.quality import Quality, measure_quality
from shared_preproc.sheet import place
from shared_preproc.source import Source
from shared_preproc.spec import PreprocSpec
from shared_preproc.tensor import Tensor

__all__ = ["ExaminedPage", "ImageFacts", "PreparedPage", "examined_page", "prepare"]

_ANY_PX = 7000  # larger or smaller than the layout


@dataclass(frozen=True)
class ImageFacts:
    """What was sent: SHA-256 (hex) of the bytes, and the upright page's size."""

    sha256: str
    format: ImageFormat
    width_px: int
    height_px: int


@dataclass(frozen=True, eq=False)
class ExaminedPage:
    """One page, what was read off it, and what is doubtful about it."""

    image: ImageFacts
    page: Page
    reading: PageReading
    doubts: tuple[Doubt, ...]
    source: Source


def examined_page(data: bytes, spec: PreprocSpec, clock: Clock, *, judging: bool = True) -> ExaminedPage:
    """Decode and read one JPEG or PNG as ``spec`` says; unless ``judging``, it is not examined and has no doubts.

    Raises:
        PreprocError: the bytes are no report page that ``spec`` accepts, or one that cannot be read.
    """
    with clock.step("decode"):
        picture = decode_page(data, replace(spec.layout, tolerance_px=_ANY_PX))
    with clock.step("preprocess"):
        sheet = place(picture, spec.layout, judging=judging)
        page = sheet.page
        reading = read_page(page, spec)
    doubts: tuple[Doubt, ...] = ()
    if judging:
        with clock.step("examine"):
            doubts = examine(page, reading, spec, placement=sheet.placement)
    image = ImageFacts(hashlib.sha256(data).hexdigest(), picture.format, picture.width_px, picture.height_px)
    return ExaminedPage(image, page, reading, doubts, sheet.source)


@dataclass(frozen=True, eq=False)
class PreparedPage:
    """One page that may be classified."""

    image: ImageFacts
    source: Source
    doubts: tuple[Doubt, ...]
    quality: Quality
    tensor: Tensor
    timings_ms: dict[str, float]
    """Of each step, and ``total``."""


def prepare(data: bytes, spec: PreprocSpec) -> PreparedPage:
    """Decode, read, examine and measure one JPEG or PNG report page, as for a model of ``spec``.

    Raises:
        PreprocError: the bytes are no report page that ``spec`` accepts, or one that cannot be read.
    """
    clock = Clock()
    page = examined_page(data, spec, clock)
    with clock.step("examine"):
        quality = measure_quality(page.reading, spec)
    with clock.step("preprocess"):
        tensor = page.reading.tensor(spec)
    return PreparedPage(page.image, page.source, page.doubts, quality, tensor, clock.timings_ms())
