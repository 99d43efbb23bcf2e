"""The way in: any bytes to a page's picture or a recording, by what they are and not by what they are called."""

from collections.abc import Callable

from sources.dicom import read_dicom
from sources.muse import read_muse_xml
from sources.pdf import read_pdf
from sources.signal_files import read_philips_xml, read_wfdb
from sources.source import ImageSource, Source

__all__ = ["read_source"]

_HEAD_BYTES = 4096
_PDF_HEAD_BYTES = 1024  # ISO 32000-1, annex H.3.4.1


def read_source(data: bytes) -> Source:
    """Read what a hospital sends: a picture, a PDF, a DICOM object, a WFDB record, MUSE or Philips XML.

    Pictures are handed on as they are, whatever their kind: the decoder judges them.

    Raises:
        UnsupportedFormatError: the kind or variety is not taken, or its reader is not installed.
        UndecodableImageError: the file is damaged.
    """
    head = data[:_HEAD_BYTES]
    text = head.replace(b"\0", b"")  # UTF-16
    if head.startswith(b"\xff\xd8\xff"):
        return ImageSource("jpeg", data, "A JPEG.")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageSource("png", data, "A PNG.")
    readers: tuple[tuple[bool, Callable[[bytes], Source]], ...] = (
        (b"%PDF-" in head[:_PDF_HEAD_BYTES], read_pdf),
        (head[128:132] == b"DICM", read_dicom),
        (head.startswith(b"PK\x03\x04"), read_wfdb),
        (b"<RestingECG" in text, read_muse_xml),
        (b"<restingecgdata" in text, read_philips_xml),
    )
    read = next((read for found, read in readers if found), None)
    return ImageSource("image", data, "A picture.") if read is None else read(data)
