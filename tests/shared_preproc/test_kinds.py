"""Files that are no supported picture: named for what they are, with what to do."""

import base64
import gzip

import pytest
from PIL import Image

from shared_preproc.errors import UnsupportedFormatError
from shared_preproc.kinds import Kind, kind_of
from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.page import decode_page
from tests import factories

JPEG, PNG = factories.page_jpeg(), factories.page_png()

FILES = {
    "empty": (b"", Kind.EMPTY),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", Kind.PDF),
    "pdf-after-junk": (b"\0\0junk\r\n%PDF-1.4", Kind.PDF),
    "dicom": (bytes(128) + b"DICM\2\0\0\0", Kind.DICOM),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Kind.HEIC),
    "heif": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Kind.HEIC),
    "avif": (b"\0\0\0\x1cftypavif\0\0\0\0", Kind.AVIF),
    "mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0", Kind.VIDEO),
    "jpeg-2000": (b"\0\0\0\x0cjP  \r\n\x87\n", Kind.JPEG_2000),
    "jpeg-xl": (b"\xff\x0a\xfa\x1f", Kind.JPEG_XL),
    "big-tiff": (b"II+\0\x08\0\0\0", Kind.BIG_TIFF),
    "svg": (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg">', Kind.SVG),
    "html": (b"\n<!DOCTYPE html><html>", Kind.HTML),
    "xml": (b'<?xml version="1.0"?><AnnotatedECG>', Kind.XML),
    "json": (b'{"file": "' + base64.b64encode(JPEG), Kind.JSON),
    "base64-jpeg": (base64.b64encode(JPEG), Kind.BASE64),
    "base64-png-in-lines": (base64.encodebytes(PNG), Kind.BASE64),
    "base64-of-anything": (base64.b64encode(bytes(range(256)) * 4), Kind.BASE64),
    "data-url": (b"data:image/jpeg;base64," + base64.b64encode(JPEG), Kind.DATA_URL),
    "gzip": (gzip.compress(JPEG[:1000]), Kind.GZIP),
    "zip": (b"PK\x03\x04\x14\0", Kind.ZIP),
    "rar": (b"Rar!\x1a\x07\0", Kind.ARCHIVE),
    "multipart": (b'--b0undary\r\nContent-Disposition: form-data; name="file"', Kind.MULTIPART),
    "file-name": (b"page.jpg", Kind.FILE_NAME),
    "curl-name": (b"@C:\\pages\\ECG 17.jpeg\n", Kind.FILE_NAME),
    "address": (b"https://example.org/page.jpg", Kind.FILE_NAME),
    "text": (b"hello", Kind.TEXT),
    "jpeg-as-utf-8": (JPEG.decode("latin-1").encode(), Kind.MANGLED),
    "jpeg-as-replaced-text": (JPEG.decode(errors="replace").encode(), Kind.MANGLED),
    "png-as-utf-8": (PNG.decode("latin-1").encode(), Kind.MANGLED),
    "png-without-cr": (PNG.replace(b"\r\n", b"\n"), Kind.MANGLED),
    "zeros": (bytes(2000), Kind.UNKNOWN),
}


@pytest.mark.parametrize(("data", "kind"), FILES.values(), ids=FILES)
def test_refusal_names_what_came_and_what_to_do(data: bytes, kind: Kind) -> None:
    assert kind_of(data) is kind
    with pytest.raises(UnsupportedFormatError) as refusal:
        decode_page(data, EDAN_3X4_R1)
    assert (refusal.value.found, refusal.value.remedy) == (kind.found, kind.remedy)


@pytest.mark.parametrize(
    ("image_format", "kind"),
    [
        ("JPEG", Kind.JPEG),
        ("PNG", Kind.PNG),
        ("TIFF", Kind.TIFF),
        ("WEBP", Kind.WEBP),
        ("BMP", Kind.BMP),
        ("GIF", Kind.GIF),
    ],
)
def test_pictures_are_known_by_their_content(image_format: str, kind: Kind) -> None:
    image = Image.new("L", (20, 20))
    assert kind_of(factories.encoded(image, image_format)) is kind


def test_refusal_does_not_repeat_the_file() -> None:
    with pytest.raises(UnsupportedFormatError) as refusal:
        decode_page(b"/home/jane.doe/page.jpg", EDAN_3X4_R1)
    assert "jane" not in str(refusal.value)
