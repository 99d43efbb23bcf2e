"""Decode, read and examine one page or recording, and make it a tensor."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.telemetry.timing import Clock
from shared_preproc.errors import UnsupportedFormatError
from shared_preproc.evidence import Doubt, examine
from shared_preproc.leads import Lead
from shared_preproc.page import Page
from shared_preproc.picture import ImageFormat, Picture, decode_picture
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.placement import Placement
from shared_preproc.quality import Quality, measure_quality
from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.sheet import place
from shared_preproc.spec import PreprocSpec, TraceTensor
from shared_preproc.tensor import Tensor
from shared_preproc.traces import Trace
from sources.read import read_source
from sources.source import ImageSource, RecordingSource, SourceKind

__all__ = [
    "ExaminedPage",
    "ImageFacts",
    "PageFormat",
    "PreparedPage",
    "SourceFacts",
    "examined_page",
    "prepare",
    "recorded_page",
]

PageFormat = ImageFormat | Literal["pixels"]
"""`pixels`: the source holds no encoded picture, as a rendered PDF."""

_PRINTED_BAND_HZ = (0.67, 25.0)
"""The band of the carts that printed the training pages."""
_LEAST_COVERAGE = 0.9  # of each lead's window; shorter gaps are bridged


@dataclass(frozen=True)
class SourceFacts:
    """The file that was sent."""

    kind: SourceKind
    how: str
    """How it was read."""
    sha256: str
    """Of the file as received, hex."""


@dataclass(frozen=True)
class ImageFacts:
    """The page's picture, upright."""

    sha256: str
    """Of the encoded picture, or else of the file, hex."""
    format: PageFormat
    width_px: int
    height_px: int


@dataclass(frozen=True, eq=False)
class ExaminedPage:
    """One page, its reading and its doubts."""

    image: ImageFacts
    page: Page
    reading: PageReading
    doubts: tuple[Doubt, ...]
    placement: Placement


@dataclass(frozen=True, eq=False)
class PreparedPage:
    """One page or recording, ready for a model; a recording has no picture."""

    source: SourceFacts
    placement: Placement | None
    image: ImageFacts | None
    doubts: tuple[Doubt, ...]
    quality: Quality
    tensor: Tensor
    traces: Mapping[Lead, Trace]
    timings_ms: dict[str, float]
    """Of each step, and ``total``."""


def prepare(data: bytes, spec: PreprocSpec) -> PreparedPage:
    """Decode, read, examine and measure one page or recording for a model of ``spec``.

    Raises:
        PreprocError: ``spec`` accepts no such file.
    """
    clock = Clock()
    decoded = _decoded(data, clock)
    if isinstance(decoded, RecordingSource):
        return _prepared_recording(data, decoded, spec, clock)
    page, source = _examined(decoded, spec, clock), decoded.source
    # The picture often is the file: its bytes are hashed once.
    is_file = source.page is data or not isinstance(source.page, bytes)
    facts = SourceFacts(source.kind, source.how, page.image.sha256 if is_file else _sha256(data))
    with clock.step("examine"):
        quality = measure_quality(page.reading, spec)
    with clock.step("preprocess"):
        tensor = page.reading.tensor(spec)
    return PreparedPage(
        facts, page.placement, page.image, page.doubts, quality, tensor, page.reading.traces, clock.timings_ms()
    )


def examined_page(data: bytes, spec: PreprocSpec, clock: Clock, *, judging: bool = True) -> ExaminedPage:
    """Decode and read one page for a model of ``spec``; examine it if ``judging``.

    Raises:
        PreprocError: ``spec`` accepts no such file.
    """
    decoded = _decoded(data, clock)
    if isinstance(decoded, RecordingSource):
        raise UnsupportedFormatError(
            found="a recording, which has no page",
            expected="the picture of a report page",
            remedy="Send the page, or send the recording to POST /classify.",
        )
    return _examined(decoded, spec, clock, judging=judging)


class _Decoded(NamedTuple):
    source: ImageSource
    picture: Picture
    image: ImageFacts


def _decoded(data: bytes, clock: Clock) -> _Decoded | RecordingSource:
    with clock.step("decode"):
        source = read_source(data)
        if isinstance(source, RecordingSource):
            return source
        if isinstance(source.page, bytes):
            picture = decode_picture(source.page)
            return _Decoded(source, picture, _facts(picture, picture.format, source.page))
        picture = Picture(source.page, "PNG")
        return _Decoded(source, picture, _facts(picture, "pixels", data))


def _facts(picture: Picture, image_format: PageFormat, content: bytes) -> ImageFacts:
    return ImageFacts(_sha256(content), image_format, picture.width_px, picture.height_px)


def _examined(decoded: _Decoded, spec: PreprocSpec, clock: Clock, *, judging: bool = True) -> ExaminedPage:
    with clock.step("preprocess"):
        sheet = place(decoded.picture, spec.layout, judging=judging)
        reading = read_page(sheet.page, spec)
    doubts: tuple[Doubt, ...] = ()
    if judging:
        with clock.step("examine"):
            doubts = examine(sheet.page, reading, spec, placement=sheet.placement, form=sheet.form)
    return ExaminedPage(decoded.image, sheet.page, reading, doubts, sheet.placement)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _prepared_recording(data: bytes, source: RecordingSource, spec: PreprocSpec, clock: Clock) -> PreparedPage:
    with clock.step("preprocess"):
        reading = recorded_page(source.recording, spec)
    with clock.step("examine"):
        quality = measure_quality(reading, spec)
    facts = SourceFacts(source.kind, source.how, _sha256(data))
    return PreparedPage(facts, None, None, (), quality, reading.tensor(spec), reading.traces, clock.timings_ms())


def recorded_page(recording: Recording, spec: PreprocSpec) -> PageReading:
    """Arrange a recording as ``spec.layout`` prints it: traces in millivolt, without NaN.

    Raises:
        UnsupportedFormatError: the model takes pictures, or a lead's window was not recorded.
    """
    if not isinstance(spec.tensor, TraceTensor):
        raise UnsupportedFormatError(
            found="a recording",
            expected="the picture of a report page, as this model takes pictures of leads",
            remedy="Ask for a model that takes traces, or send the page.",
        )
    tensor = recording_tensor(_printed(recording), spec)
    traces, start = {}, 0
    for lead, box in spec.layout.lead_boxes:
        samples = spec.trace.samples(box, spec.layout)
        curve, start = tensor[start : start + samples], start + samples
        coverage = float(np.isfinite(curve).all(axis=1).mean())
        if coverage < _LEAST_COVERAGE:
            raise UnsupportedFormatError(
                found=f"a recording with {coverage:.0%} of {lead.value} where a page shows it",
                expected="ten seconds of every lead, or of lead II and 2.5 s of the others",
                remedy="Export the whole resting ECG from its source system.",
            )
        signal_mv, top_mv, bottom_mv = _bridged(curve).T
        traces[lead] = Trace(signal_mv, top_mv, bottom_mv, coverage)
    return PageReading({}, traces)


def _printed(recording: Recording) -> Recording:
    """Keep the printed band; filter each span of leads alone, since filters ring at the ends of a signal."""
    signal_mv = np.full_like(recording.signal_mv, np.nan)
    spans = {_span(row) for row in recording.signal_mv}
    for first, end in spans:
        rows = [place for place, row in enumerate(recording.signal_mv) if _span(row) == (first, end)]
        alone = np.full((len(recording.signal_mv), end - first), np.nan)
        alone[rows] = recording.signal_mv[rows, first:end]
        signal_mv[rows, first:end] = Recording(alone, recording.rate_hz).band_passed(*_PRINTED_BAND_HZ).signal_mv[rows]
    return Recording(signal_mv, recording.rate_hz)


def _span(row: NDArray[np.float64]) -> tuple[int, int]:
    recorded = np.flatnonzero(~np.isnan(row))
    return (int(recorded[0]), int(recorded[-1]) + 1) if len(recorded) else (0, len(row))


def _bridged(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill gaps of (samples, 3) with lines."""
    places, filled = np.arange(len(curve)), curve.copy()
    for column in filled.T:
        recorded = np.isfinite(column)
        column[~recorded] = np.interp(places[~recorded], places[recorded], column[recorded])
    return filled
