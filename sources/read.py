"""The way in: any bytes to a page's picture or a recording, by what they are and not by what they are called."""

from collections.abc import Callable

from shared_preproc.decoders.stored import unsupported
from shared_preproc.kinds import Kind, kind_of
from sources.dicom import read_dicom
from sources.muse import read_muse_xml
from sources.pdf import read_pdf
from sources.signal_files import read_philips_xml, read_wfdb
from sources.source import ImageSource, Source, SourceKind

__all__ = ["read_source"]

_HEAD_BYTES = 4096
_PICTURES: dict[Kind, SourceKind] = {
    Kind.JPEG: "jpeg",
    Kind.PNG: "png",
    Kind.TIFF: "tiff",
    Kind.WEBP: "webp",
    Kind.BMP: "bmp",
    Kind.GIF: "gif",
}


def read_source(data: bytes) -> Source:
    """Read what a hospital sends: a picture, a PDF, a DICOM object, a WFDB record, MUSE or Philips XML.

    Pictures are handed on as they are; their decoder judges them.

    Raises:
        UnsupportedFormatError: the kind or variety is not taken, or its reader is not installed.
        UndecodableImageError: the file is damaged.
    """
    kind = kind_of(data)
    if kind in _PICTURES:
        return ImageSource(_PICTURES[kind], data, "The picture as sent.")
    text = data[:_HEAD_BYTES].replace(b"\0", b"")  # UTF-16
    readers: tuple[tuple[bool, Callable[[bytes], Source]], ...] = (
        (kind is Kind.PDF, read_pdf),
        (kind is Kind.DICOM, read_dicom),
        (kind is Kind.ZIP and b".hea" in data, read_wfdb),
        (b"<RestingECG" in text, read_muse_xml),
        (b"<restingecgdata" in text, read_philips_xml),
    )
    read = next((read for found, read in readers if found), None)
    if read is None:
        raise unsupported(kind.found, remedy=kind.remedy)
    return read(data)
