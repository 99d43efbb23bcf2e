"""Decode, read and examine one page or recording, and make it a tensor."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from digitize import Digitized, UndigitizedPageError, digitize
from digitize.errors import NO_PAGE, WHOLE_PAGE
from service.recordings import recorded_page
from service.telemetry.trace import Clock
from shared_preproc.errors import (
    NotAnEcgPageError,
    PreprocError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)
from shared_preproc.evidence import Doubt, examine
from shared_preproc.leads import Lead
from shared_preproc.measurements import Measurements, measure
from shared_preproc.page import Page
from shared_preproc.picture import ImageFormat, Picture, decode_picture
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.placement import Placement
from shared_preproc.quality import Quality, measure_quality
from shared_preproc.recording import Recording, page_recording
from shared_preproc.sheet import place
from shared_preproc.spec import PreprocSpec, TraceTensor
from shared_preproc.tensor import Tensor
from shared_preproc.traces import Trace
from sources.read import read_source
from sources.source import ImageSource, RecordingSource, Source, SourceKind

__all__ = [
    "ExaminedPage",
    "ImageFacts",
    "PageFormat",
    "PreparedPage",
    "SourceFacts",
    "decode_source",
    "examine_picture",
    "examined_page",
    "prepare",
    "source_facts",
]

PageFormat = ImageFormat | Literal["pixels"]
"""`pixels`: from a rendered PDF, for example."""


@dataclass(frozen=True)
class SourceFacts:
    """What was sent and how it was read."""

    kind: SourceKind
    how: str
    sha256: str
    """Of the file as received, hex."""


@dataclass(frozen=True)
class ImageFacts:
    """The page's picture, upright."""

    sha256: str
    """Of its own bytes, or of the file if it has none; hex."""
    format: PageFormat
    width_px: int
    height_px: int


@dataclass(frozen=True, eq=False)
class ExaminedPage:
    """One page, its reading, and the doubts about it."""

    image: ImageFacts
    page: Page
    reading: PageReading
    doubts: tuple[Doubt, ...]
    placement: Placement


def examined_page(data: bytes, spec: PreprocSpec, clock: Clock, *, judging: bool = True) -> ExaminedPage:
    """Decode and read one page, and examine it if ``judging``; raise `PreprocError` if that fails."""
    with clock.step("decode"):
        source = read_source(data)
        if isinstance(source, RecordingSource):
            raise UnsupportedFormatError(
                found="a recording, which has no page",
                expected="the picture of a report page",
                remedy="Send the page, or send the recording to POST /classify.",
            )
        picture, image = decode_source(data, source)
    return examine_picture(picture, image, spec, clock, judging=judging)


def decode_source(data: bytes, source: ImageSource) -> tuple[Picture, ImageFacts]:
    """Decode the picture in ``source``, which was read from ``data``, or raise `PreprocError`."""
    if isinstance(source.page, bytes):
        picture = decode_picture(source.page)
        return picture, ImageFacts(_sha256(source.page), picture.format, picture.width_px, picture.height_px)
    picture = Picture(source.page, "PNG")
    return picture, ImageFacts(_sha256(data), "pixels", picture.width_px, picture.height_px)


def source_facts(data: bytes, source: Source, image: ImageFacts | None = None) -> SourceFacts:
    """Describe ``data``; ``image`` saves hashing it again."""
    of_file = isinstance(source, ImageSource) and (source.page is data or not isinstance(source.page, bytes))
    return SourceFacts(source.kind, source.how, image.sha256 if image and of_file else _sha256(data))


def examine_picture(
    picture: Picture, image: ImageFacts, spec: PreprocSpec, clock: Clock, *, judging: bool = True
) -> ExaminedPage:
    """Read one decoded page, and examine it if ``judging``; raise `PreprocError` if that fails."""
    with clock.step("preprocess"):
        sheet = place(picture, spec.layout, judging=judging)
        page = sheet.page
        reading = read_page(page, spec)
    doubts: tuple[Doubt, ...] = ()
    if judging:
        with clock.step("examine"):
            doubts = examine(page, reading, spec, placement=sheet.placement, form=sheet.form)
    return ExaminedPage(image, page, reading, doubts, sheet.placement)


@dataclass(frozen=True, eq=False)
class PreparedPage:
    """One page or recording, ready for a model."""

    source: SourceFacts
    placement: Placement | None
    """None for a recording or another cart's page."""
    image: ImageFacts | None
    """None for a recording."""
    doubts: tuple[Doubt, ...]
    quality: Quality
    measurements: Measurements
    tensor: Tensor
    traces: Mapping[Lead, Trace]
    timings_ms: dict[str, float]
    """Of each step, and ``total``."""


def prepare(data: bytes, spec: PreprocSpec) -> PreparedPage:
    """Decode, read, examine and measure one report page or recording.

    Raises:
        PreprocError: the bytes hold nothing that ``spec`` accepts, or an unreadable page.
    """
    clock = Clock()
    with clock.step("decode"):
        source = read_source(data)
    if isinstance(source, RecordingSource):
        return _prepared_recording(source.recording, source_facts(data, source), None, spec, clock)
    with clock.step("decode"):
        picture, image = decode_source(data, source)
    facts = source_facts(data, source, image)
    try:
        page = examine_picture(picture, image, spec, clock)
    except (NotAnEcgPageError, UnsuitableDimensionsError) as refusal:
        digitized = _digitized(picture, spec, refusal, clock)
        facts = replace(facts, how=f"{facts.how} {digitized.summary}")
        try:
            return _prepared_recording(digitized.recording, facts, image, spec, clock)
        except UnsupportedFormatError as short:
            raise UndigitizedPageError(
                "curves", found=short.found, expected=short.expected, remedy=WHOLE_PAGE
            ) from None
    with clock.step("examine"):
        quality = measure_quality(page.reading, spec)
        measurements = _measurements(page.reading, spec)
    with clock.step("preprocess"):
        tensor = page.reading.tensor(spec)
    return PreparedPage(
        source=facts,
        placement=page.placement,
        image=image,
        doubts=page.doubts,
        quality=quality,
        measurements=measurements,
        tensor=tensor,
        traces=page.reading.traces,
        timings_ms=clock.timings_ms(),
    )


def _measurements(reading: PageReading, spec: PreprocSpec) -> Measurements:
    recording = page_recording(reading.traces, spec.layout, spec.trace)
    return Measurements() if recording is None else measure(recording, printed=True)


def _digitized(picture: Picture, spec: PreprocSpec, refusal: PreprocError, clock: Clock) -> Digitized:
    """Read another cart's page; raise ``refusal`` if it is none, and refuse one on which beats of leads cross.

    They are left out, and a network would take what is then bridged for a pause or a low voltage.
    """
    if not isinstance(spec.tensor, TraceTensor):
        raise refusal
    try:
        with clock.step("preprocess"):
            page = digitize(picture.gray)
    except UndigitizedPageError as error:
        if error.missing in NO_PAGE:
            raise refusal from None
        raise
    crossed = [lead.name for lead in page.leads if lead.crossed]
    if crossed:
        raise UndigitizedPageError(
            "curves",
            found=f"beats of {', '.join(crossed)} that run through other curves",
            expected="beats of every lead apart from other curves",
            remedy="Print the page with less gain, or send the recording. /digitize reads the rest.",
        )
    return page


def _prepared_recording(
    recording: Recording, facts: SourceFacts, image: ImageFacts | None, spec: PreprocSpec, clock: Clock
) -> PreparedPage:
    with clock.step("preprocess"):
        reading = recorded_page(recording, spec)
        tensor = reading.tensor(spec)
    with clock.step("examine"):
        quality = measure_quality(reading, spec)
        measurements = measure(recording)
    return PreparedPage(
        source=facts,
        placement=None,
        image=image,
        doubts=(),
        quality=quality,
        measurements=measurements,
        tensor=tensor,
        traces=reading.traces,
        timings_ms=clock.timings_ms(),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
