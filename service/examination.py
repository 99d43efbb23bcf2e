"""Decode, read and examine one page or recording, and make it a tensor."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from service.recordings import recorded_page
from service.telemetry.timing import Clock
from shared_preproc.errors import UnsupportedFormatError
from shared_preproc.evidence import Doubt, examine
from shared_preproc.leads import Lead
from shared_preproc.page import Page
from shared_preproc.picture import ImageFormat, Picture, decode_picture
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.placement import Placement
from shared_preproc.quality import Quality, measure_quality
from shared_preproc.sheet import place
from shared_preproc.spec import PreprocSpec
from shared_preproc.tensor import Tensor
from shared_preproc.traces import Trace
from sources.read import read_source
from sources.source import ImageSource, RecordingSource, SourceKind

__all__ = ["ExaminedPage", "ImageFacts", "PageFormat", "PreparedPage", "SourceFacts", "examined_page", "prepare"]

PageFormat = ImageFormat | Literal["pixels"]
"""`pixels`: the picture was not encoded as one, as in a rendered PDF."""


@dataclass(frozen=True)
class SourceFacts:
    """What was sent and how it was read."""

    kind: SourceKind
    how: str
    sha256: str
    """Of the file as received, hex."""


@dataclass(frozen=True)
class ImageFacts:
    """The page's picture: SHA-256 (hex) of its own bytes, or of the file where it has none; the upright size."""

    sha256: str
    format: PageFormat
    width_px: int
    height_px: int


@dataclass(frozen=True, eq=False)
class ExaminedPage:
    """One page, what was read off it, and what is doubtful about it."""

    image: ImageFacts
    page: Page
    reading: PageReading
    doubts: tuple[Doubt, ...]
    placement: Placement


def examined_page(data: bytes, spec: PreprocSpec, clock: Clock, *, judging: bool = True) -> ExaminedPage:
    """Decode and read one page as ``spec`` says; unless ``judging``, it is not examined and has no doubts.

    Raises:
        PreprocError: the bytes hold no report page that ``spec`` accepts, or one that cannot be read.
    """
    with clock.step("decode"):
        source = read_source(data)
    if isinstance(source, RecordingSource):
        raise UnsupportedFormatError(
            found="a recording, which has no page",
            expected="the picture of a report page",
            remedy="Send the page, or send the recording to POST /classify.",
        )
    return _examined(data, source, spec, clock, judging=judging)


def _examined(
    data: bytes, source: ImageSource, spec: PreprocSpec, clock: Clock, *, judging: bool = True
) -> ExaminedPage:
    with clock.step("decode"):
        picture, image_format, sha256 = _picture(data, source)
    with clock.step("preprocess"):
        sheet = place(picture, spec.layout, judging=judging)
        page = sheet.page
        reading = read_page(page, spec)
    doubts: tuple[Doubt, ...] = ()
    if judging:
        with clock.step("examine"):
            doubts = examine(page, reading, spec, placement=sheet.placement, form=sheet.form)
    image = ImageFacts(sha256, image_format, picture.width_px, picture.height_px)
    return ExaminedPage(image, page, reading, doubts, sheet.placement)


def _picture(data: bytes, source: ImageSource) -> tuple[Picture, PageFormat, str]:
    if isinstance(source.page, bytes):
        picture = decode_picture(source.page)
        return picture, picture.format, _sha256(source.page)
    return Picture(source.page, "PNG"), "pixels", _sha256(data)


@dataclass(frozen=True, eq=False)
class PreparedPage:
    """One page or recording that may be classified."""

    source: SourceFacts
    placement: Placement | None
    """None for a recording."""
    image: ImageFacts | None
    """None for a recording."""
    doubts: tuple[Doubt, ...]
    quality: Quality
    tensor: Tensor
    traces: Mapping[Lead, Trace]
    timings_ms: dict[str, float]
    """Of each step, and ``total``."""


def prepare(data: bytes, spec: PreprocSpec) -> PreparedPage:
    """Decode, read, examine and measure one report page or recording, as for a model of ``spec``.

    Raises:
        PreprocError: the bytes are nothing that ``spec`` accepts, or a page that cannot be read.
    """
    clock = Clock()
    with clock.step("decode"):
        source = read_source(data)
    if isinstance(source, RecordingSource):
        return _prepared_recording(data, source, spec, clock)
    page = _examined(data, source, spec, clock)
    # The picture often is the file, whose bytes are hashed once.
    is_file = source.page is data or not isinstance(source.page, bytes)
    facts = SourceFacts(source.kind, source.how, page.image.sha256 if is_file else _sha256(data))
    with clock.step("examine"):
        quality = measure_quality(page.reading, spec)
    with clock.step("preprocess"):
        tensor = page.reading.tensor(spec)
    return PreparedPage(
        facts, page.placement, page.image, page.doubts, quality, tensor, page.reading.traces, clock.timings_ms()
    )


def _prepared_recording(data: bytes, source: RecordingSource, spec: PreprocSpec, clock: Clock) -> PreparedPage:
    with clock.step("preprocess"):
        reading = recorded_page(source.recording, spec)
    with clock.step("examine"):
        quality = measure_quality(reading, spec)
    facts = SourceFacts(source.kind, source.how, _sha256(data))
    return PreparedPage(facts, None, None, (), quality, reading.tensor(spec), reading.traces, clock.timings_ms())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
