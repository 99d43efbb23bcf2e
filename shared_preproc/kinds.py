"""What kind of file some bytes are, judged by their content, and what the sender of an unsupported kind can do."""

import re
from enum import Enum

__all__ = ["Kind", "kind_of"]

_EXPORT = "Export the report page as JPEG or PNG."
_CONVERT = "Save the picture as JPEG or PNG."
_EXTRACT = "Unpack it and send one report page."
_SEND_FILE = "Send the file's own bytes, for example with curl --data-binary @page.jpg."
_DECODE_TEXT = "Decode the text and send the file's own bytes."


class Kind(Enum):
    """A kind of file: its name for messages, and a remedy where the service does not read it."""

    JPEG = ("a JPEG", _EXPORT)
    PNG = ("a PNG", _EXPORT)
    TIFF = ("a TIFF", _EXPORT)
    WEBP = ("a WebP", _EXPORT)
    BMP = ("a BMP", _EXPORT)
    GIF = ("a GIF", _EXPORT)
    PDF = ("a PDF document", _EXPORT)
    DICOM = ("a DICOM file", _EXPORT)
    POSTSCRIPT = ("a PostScript document", _EXPORT)
    SVG = ("an SVG drawing", _EXPORT)
    HEIC = ("a HEIC photograph", _CONVERT)
    AVIF = ("an AVIF picture", _CONVERT)
    JPEG_2000 = ("a JPEG 2000 picture", _CONVERT)
    JPEG_XL = ("a JPEG XL picture", _CONVERT)
    JPEG_XR = ("a JPEG XR picture", _CONVERT)
    PHOTOSHOP = ("a Photoshop document", _CONVERT)
    ICON = ("an icon", _CONVERT)
    METAFILE = ("a Windows metafile", _CONVERT)
    BIG_TIFF = ("a BigTIFF", _CONVERT)
    VIDEO = ("a video", "Send one picture of the report page.")
    GZIP = ("a gzip-compressed file", "Send it uncompressed; the service does not take Content-Encoding.")
    ZIP = ("a ZIP archive or office document", _EXTRACT)
    ARCHIVE = ("a compressed archive", _EXTRACT)
    MULTIPART = ("a multipart form", "Send it with Content-Type: multipart/form-data and the boundary of the body.")
    DATA_URL = ("a data URL", _DECODE_TEXT)
    BASE64 = ("a picture in base64", _DECODE_TEXT)
    MANGLED = ("a picture that was changed as if it were text", "Send the file as binary, not as text.")
    JSON = ("JSON text", "Send the picture itself as the body; JSON belongs to the /v2 routes.")
    HTML = ("an HTML page", "Check the address from which the picture was downloaded.")
    XML = ("XML text", _EXPORT)
    FILE_NAME = ("a file name or address instead of a file", _SEND_FILE)
    TEXT = ("text", _SEND_FILE)
    EMPTY = ("an empty file", _SEND_FILE)
    UNKNOWN = ("bytes of an unknown kind", _EXPORT)

    def __init__(self, found: str, remedy: str) -> None:
        self.found = found
        self.remedy = remedy


_LOOKED_AT_BYTES = 1024


def _table(*rows: tuple[bytes, Kind]) -> tuple[tuple[re.Pattern[bytes], Kind], ...]:
    return tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in rows)


_SIGNATURES = _table(
    (rb"\xff\xd8\xff", Kind.JPEG),
    (rb"\x89PNG\r\n\x1a\n", Kind.PNG),
    (rb"II\*\0|MM\0\*", Kind.TIFF),
    (rb"RIFF.{4}WEBP", Kind.WEBP),
    (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", Kind.BMP),  # by the sizes that its header may have
    (rb"GIF8[79]a", Kind.GIF),
    (rb".{128}DICM", Kind.DICOM),
    (rb".{0,1019}%PDF-", Kind.PDF),  # readers of PDF look for it there: ISO 32000-1, annex H.3.4.1
    (rb"%!PS|\xc5\xd0\xd3\xc6", Kind.POSTSCRIPT),
    (rb".{4}ftyp(hei[cxms]|hevc|mif1|msf1)", Kind.HEIC),  # brands: ISO/IEC 23008-12, annex B
    (rb".{4}ftypavi[fs]", Kind.AVIF),
    (rb".{4}ftyp|RIFF.{4}AVI |\x1aE\xdf\xa3", Kind.VIDEO),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", Kind.JPEG_2000),
    (rb"\0\0\0\x0cJXL |\xff\x0a", Kind.JPEG_XL),
    (rb"II\xbc\x01", Kind.JPEG_XR),
    (rb"8BPS", Kind.PHOTOSHOP),
    (rb"\0\0\x01\0", Kind.ICON),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", Kind.METAFILE),
    (rb"II\+\0|MM\0\+", Kind.BIG_TIFF),
    (rb"\x1f\x8b", Kind.GZIP),
    (rb"PK\x03\x04", Kind.ZIP),
    (rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|\xfd7zXZ\0|\x28\xb5\x2f\xfd|BZh", Kind.ARCHIVE),
    # What text tools make of a PNG or JPEG: UTF-8 of each byte, replacement characters, lost CRs.
    (rb"(\xc2?\x89|\xef\xbf\xbd|\?)PNG", Kind.MANGLED),
    (rb"\xc3\xbf\xc3\x98\xc3\xbf|(\xef\xbf\xbd){3}", Kind.MANGLED),
)
_TEXTS = _table(
    (rb"(?i)data:[\w/+.-]*[;,]", Kind.DATA_URL),
    (rb"(?i)(?=.*<svg[\s>])<[?!s]", Kind.SVG),
    (rb"(?i)<(!doctype html|html|head|body)", Kind.HTML),
    (rb"(?i)<\?xml|<[a-z]", Kind.XML),
    (rb"(?i)--\S+\r?\ncontent-", Kind.MULTIPART),
    (rb"[{\[]", Kind.JSON),
    (rb'"?(/9j/|iVBORw0KGgo|SUkqA|TU0AK|UklGR|R0lGOD|JVBERi|Qk0)[\w+/=\r\n-]*"?\s*\Z', Kind.BASE64),
    (rb"[\w+/\r\n-]{256,}={0,2}\s*\Z", Kind.BASE64),
    (rb"\w+://|@?[\w./\\:~ ()-]+\.\w{2,5}\s*\Z", Kind.FILE_NAME),
    (rb"[\t\n\r\x20-\x7e\x80-\xff]*\Z", Kind.TEXT),
)


def kind_of(data: bytes) -> Kind:
    """Name the kind of a file by its first bytes; `Kind.UNKNOWN` if they are none that this table has."""
    if not data:
        return Kind.EMPTY
    start = data[:_LOOKED_AT_BYTES]
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return _first_match(_SIGNATURES, start) or _first_match(_TEXTS, text) or Kind.UNKNOWN


def _first_match(table: tuple[tuple[re.Pattern[bytes], Kind], ...], start: bytes) -> Kind | None:
    return next((kind for pattern, kind in table if pattern.match(start)), None)
