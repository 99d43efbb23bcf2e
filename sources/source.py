"""What an upload holds: the picture of a page, or the samples of a recording."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared_preproc.picture import Gray
from shared_preproc.recording import Recording

__all__ = ["ImageSource", "RecordingSource", "Source", "SourceKind"]

SourceKind = Literal[
    "jpeg",
    "png",
    "tiff",
    "webp",
    "bmp",
    "gif",
    "pdf_scan",
    "pdf_rendered",
    "pdf_curves",
    "dicom_image",
    "dicom_waveform",
    "wfdb",
    "muse_xml",
    "philips_xml",
]
"""What was sent, and for a PDF what was taken from it: docs/sources.md."""


@dataclass(frozen=True, eq=False)
class ImageSource:
    """The picture of a page.

    Attributes:
        kind: where it comes from.
        page: an encoded picture as it stands in the file, or upright uint8 (height, width), 0 black.
        how: one sentence on how it was read.
    """

    kind: SourceKind
    page: bytes | Gray
    how: str


@dataclass(frozen=True, eq=False)
class RecordingSource:
    """Twelve leads as samples; ``how`` is one sentence on how they were read."""

    kind: SourceKind
    recording: Recording
    how: str


Source: TypeAlias = ImageSource | RecordingSource
