"""Read the ECG in an upload as signals: a recording, or the curves of a page."""

import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize import Digitized, StatedScale, UndigitizedPageError, digitize, to_csv, to_wfdb
from service.examination import ExaminedPage, SourceFacts, decode_source, examine_picture, source_facts
from service.telemetry.trace import Clock
from shared_preproc.errors import NotAnEcgPageError, UnsuitableDimensionsError, UnsupportedFormatError
from shared_preproc.layout import Box
from shared_preproc.picture import Gray
from shared_preproc.placement import Placement
from shared_preproc.recording import Recording, page_recording
from shared_preproc.spec import TRACES_50_HZ
from sources.read import read_source
from sources.source import RecordingSource

__all__ = ["RECORD_NAME", "Signals", "read_signals"]

RECORD_NAME = "ecg"
"""Of WFDB files: the sender's name could hold a patient's."""

_SPEC = TRACES_50_HZ  # for our own cart's pages
_CURVE_BGR = (40, 40, 220)
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)
_LEAST_WIDTH_PX = 2  # of a curve; one more for each _PX_FOR_EACH_PX of the picture
_PX_FOR_EACH_PX = 1000


class Curve(NamedTuple):
    """Columns and rows of the picture along a curve: float (samples,), NaN in gaps."""

    x_px: NDArray[np.floating]
    y_px: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Signals:
    """Twelve leads in millivolt, and their source."""

    source: SourceFacts
    recording: Recording
    doubts: tuple[str, ...] = ()
    """In sentences."""
    placement: Placement | None = None
    """Of our own cart's page."""
    other_page: Digitized | None = None
    """Another cart's page."""
    gray: Gray | None = None
    """The picture under ``curves``; None for a recording."""
    curves: tuple[Curve, ...] = ()

    def csv(self) -> bytes:
        """Write a table: seconds and twelve leads."""
        return to_csv(self.recording).encode()

    def wfdb(self) -> bytes:
        """Zip a WFDB record, `RECORD_NAME`."""
        content = BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in to_wfdb(self.recording, RECORD_NAME).items():
                archive.writestr(name, data)
        return content.getvalue()

    def overlay(self) -> bytes:
        """Draw the curves on the page, as JPEG; raise `UnsupportedFormatError` for a recording."""
        if self.gray is None:
            raise UnsupportedFormatError(
                found="a recording, which has no page to draw on",
                expected="the picture of a page for an answer in image/jpeg",
                remedy="Ask for application/json, text/csv or application/zip.",
            )
        picture = cv2.cvtColor(self.gray, cv2.COLOR_GRAY2BGR)
        thickness = _LEAST_WIDTH_PX + picture.shape[1] // _PX_FOR_EACH_PX
        for curve in self.curves:
            points = np.stack(curve, axis=1)
            read = np.isfinite(points).all(axis=1)
            for part in np.split(points, np.flatnonzero(np.diff(read)) + 1):
                if np.isfinite(part).all():
                    line = part.round().astype(np.int32)
                    cv2.polylines(picture, [line], isClosed=False, color=_CURVE_BGR, thickness=thickness)
        return bytes(cv2.imencode(".jpg", picture, _JPEG)[1])


def read_signals(data: bytes, stated: StatedScale) -> Signals:
    """Read a recording or a page; raise `PreprocError` unless scale, names and timing are proven, or it is stated."""
    source = read_source(data)
    if isinstance(source, RecordingSource):
        return Signals(source_facts(data, source), source.recording)
    picture, image = decode_source(data, source)
    facts = source_facts(data, source, image)
    try:
        page = examine_picture(picture, image, _SPEC, Clock())
    except (NotAnEcgPageError, UnsuitableDimensionsError):
        return _other_page(facts, picture.gray, stated)
    return _our_page(facts, page)


def _our_page(facts: SourceFacts, page: ExaminedPage) -> Signals:
    layout, traces = _SPEC.layout, page.reading.traces
    recording = page_recording(traces, layout, _SPEC.trace)
    if recording is None:
        raise UndigitizedPageError(
            "relations",
            found="a rhythm strip that repeats neither lead II nor lead III",
            expected="a strip that shows when each column of leads was recorded",
            remedy="Check the page, and export the report again.",
        )
    return Signals(
        source=facts,
        recording=recording,
        doubts=tuple(doubt.message for doubt in page.doubts),
        placement=page.placement,
        gray=page.page.gray,
        curves=tuple(
            _printed(columns_mv, box)
            for lead, box in layout.lead_boxes
            if (columns_mv := traces[lead].columns_mv) is not None
        ),
    )


def _printed(columns_mv: NDArray[np.float32], box: Box) -> Curve:
    """Find where our own cart prints a lead."""
    rows_px = _SPEC.trace.zero_row_px(box) - columns_mv * _SPEC.layout.px_per_mv
    return Curve(np.arange(box.left, box.right, dtype=np.float64), rows_px)


def _other_page(facts: SourceFacts, gray: Gray, stated: StatedScale) -> Signals:
    page = digitize(gray, stated)
    leads = [Curve(x, y) for x, y in zip(page.page_x, page.page_y, strict=True)]
    strips = [Curve(strip.page_x, strip.page_y) for strip in page.strips]
    return Signals(facts, page.recording, page.doubts, None, page, gray, (*leads, *strips))
