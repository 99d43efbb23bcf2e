"""The ECG in one upload as signals: a recording as it is, or the curves of a page read off it."""

import zipfile
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np

from digitize import Digitized, digitize, to_csv, to_wfdb
from service.examination import SourceFacts, decode_source, source_facts
from shared_preproc.errors import UnsupportedFormatError
from shared_preproc.picture import Gray
from shared_preproc.recording import Recording
from sources.read import read_source
from sources.source import RecordingSource

__all__ = ["RECORD_NAME", "Signals", "read_signals"]

RECORD_NAME = "ecg"
"""Of WFDB files: a name of the sender's could hold a patient's."""

_CURVE_BGR = (40, 40, 220)
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)
_LEAST_WIDTH_PX = 2  # of the drawn curve
_PX_FOR_EACH_PX = 1000  # of the picture's width, for one more of the curve's


@dataclass(frozen=True, eq=False)
class Signals:
    """Twelve leads in millivolt, and where they come from."""

    source: SourceFacts
    recording: Recording
    page: Digitized | None = None
    """None where samples were sent."""
    gray: Gray | None = None
    """The picture of ``page``."""

    def csv(self) -> bytes:
        """A table: seconds and twelve leads."""
        return to_csv(self.recording).encode()

    def wfdb(self) -> bytes:
        """A zip of a WFDB record, `RECORD_NAME`."""
        content = BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in to_wfdb(self.recording, RECORD_NAME).items():
                archive.writestr(name, data)
        return content.getvalue()

    def overlay(self) -> bytes:
        """A JPEG of the page with each curve drawn where it was read.

        Raises:
            UnsupportedFormatError: samples were sent, so there is no picture to draw on.
        """
        if self.page is None or self.gray is None:
            raise UnsupportedFormatError(
                found="a recording, which has no page to draw on",
                expected="the picture of a page for an answer in image/jpeg",
                remedy="Ask for application/json, text/csv or application/zip.",
            )
        picture = cv2.cvtColor(self.gray, cv2.COLOR_GRAY2BGR)
        thickness = _LEAST_WIDTH_PX + picture.shape[1] // _PX_FOR_EACH_PX
        rows = [*zip(self.page.page_x, self.page.page_y, strict=True)]
        rows += [(strip.page_x, strip.page_y) for strip in self.page.strips]
        for x, y in rows:
            known = np.isfinite(x)
            breaks = np.flatnonzero(np.diff(known)) + 1
            for part_x, part_y in zip(np.split(x, breaks), np.split(y, breaks), strict=True):
                if np.isfinite(part_x).all():
                    points = np.stack([part_x, part_y], axis=1).round().astype(np.int32)
                    cv2.polylines(picture, [points], isClosed=False, color=_CURVE_BGR, thickness=thickness)
        return bytes(cv2.imencode(".jpg", picture, _JPEG)[1])


def read_signals(data: bytes) -> Signals:
    """Read the ECG in an upload.

    Raises:
        PreprocError: the bytes hold no recording, and no page whose scale, names and timing are proven.
    """
    source = read_source(data)
    if isinstance(source, RecordingSource):
        return Signals(source_facts(data, source), source.recording)
    picture, image = decode_source(data, source)
    page = digitize(picture.gray)
    return Signals(source_facts(data, source, image), page.recording, page, picture.gray)
