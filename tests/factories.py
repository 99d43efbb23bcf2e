"""Report pages and everything that is nearly one, as bytes. All are drawn; none holds a person's data."""

import io
import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.leads import Lead
from synthetic.pages import synth_jpeg, synth_page

Pixels = NDArray[np.uint8]

WIDTH_PX, HEIGHT_PX = EDAN_3X4_R1.width_px, EDAN_3X4_R1.height_px
EXIF_ORIENTATION = 0x0112

# How a page is stored so that EXIF's orientation turns it upright: the inverse of what the reader does.
_STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@lru_cache(maxsize=8)
def page_array(class_name: str = "normal", seed: int = 0) -> Pixels:
    """A page as uint8 (1572, 2213, 3); cached, so read-only."""
    page = synth_page(class_name, seed)
    page.flags.writeable = False
    return page


@lru_cache(maxsize=32)
def page_jpeg(class_name: str = "normal", seed: int = 0) -> bytes:
    """A page compressed as the real ones are."""
    return synth_jpeg(class_name, seed)


@lru_cache(maxsize=8)
def page_png(class_name: str = "normal", seed: int = 0) -> bytes:
    """A page as plain RGB PNG."""
    return encoded(_page(class_name, seed), "PNG", compress_level=1)


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    """Any picture in any format that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def truncated_jpeg(keep: float = 0.5) -> bytes:
    """The first part of a page's JPEG: header whole, data cut short."""
    data = page_jpeg()
    return data[: int(len(data) * keep)]


def truncated_png(keep: float = 0.5) -> bytes:
    """The first part of a page's PNG."""
    data = page_png()
    return data[: int(len(data) * keep)]


def grayscale_jpeg() -> bytes:
    """One component."""
    return encoded(_page().convert("L"), "JPEG", quality=90)


def cmyk_jpeg() -> bytes:
    """Four components, which have no faithful gray form without a profile."""
    return encoded(_page().convert("CMYK"), "JPEG", quality=90)


def progressive_jpeg() -> bytes:
    """Several scans over one page."""
    return encoded(_page(), "JPEG", quality=90, progressive=True)


def palette_png() -> bytes:
    """256 colours."""
    return encoded(_page().quantize(256), "PNG")


def transparent_palette_png() -> bytes:
    """A palette whose transparent entry, black underneath, is the paper: reads as black on white."""
    ink = np.asarray(_page().convert("L")) < 128
    image = Image.fromarray(ink.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    return encoded(image, "PNG", transparency=0)


def rgba_png() -> bytes:
    """Paper transparent with black underneath, all else opaque: reads as `page_png`."""
    page = page_array()
    drawn = (page < 255).any(axis=2, keepdims=True)
    return encoded(Image.fromarray(np.concatenate([page * drawn, drawn.astype(np.uint8) * 255], axis=2)), "PNG")


def la_png() -> bytes:
    """As `rgba_png`, in gray with alpha."""
    gray = np.asarray(_page().convert("L"))
    drawn = gray < 255
    return encoded(Image.fromarray(np.stack([gray * drawn, drawn.astype(np.uint8) * 255], axis=2), "LA"), "PNG")


def gray16_png() -> bytes:
    """Sixteen bits a pixel, one channel."""
    gray = np.asarray(_page().convert("L")).astype(">u2") * 257
    return _png((WIDTH_PX, HEIGHT_PX), 16, _GRAY, gray.astype(">u2").tobytes())


def rgb16_png() -> bytes:
    """Sixteen bits a channel, three channels."""
    return _png((WIDTH_PX, HEIGHT_PX), 16, _RGB, (page_array().astype(">u2") * 257).astype(">u2").tobytes())


def transparent_gray_png(bit_depth: int) -> bytes:
    """Two or four bits a pixel, one level of them transparent."""
    samples = bytes((WIDTH_PX * bit_depth + 7) // 8 * HEIGHT_PX)
    return _png((WIDTH_PX, HEIGHT_PX), bit_depth, _GRAY, samples, transparent_level=1)


def apng() -> bytes:
    """Two different pages as frames of an animation."""
    return encoded(_page(), "PNG", save_all=True, append_images=[_page(seed=1)], duration=100)


def mpo() -> bytes:
    """Two JPEG pages in one file (CIPA DC-007)."""
    return encoded(_page(), "MPO", save_all=True, append_images=[_page(seed=1)])


def jpeg_in_pieces(count: int, piece: bytes = b"\xff\xe5\x00\x02") -> bytes:
    """A whole page with ``count`` empty segments, or other pieces, before its picture."""
    page = page_jpeg()
    return page[:2] + count * piece + page[2:]


def jpeg_in_scans(count: int) -> bytes:
    """A progressive page whose smallest scan stands there ``count`` times more."""
    begin = b"\xff\xda"
    header, *scans = progressive_jpeg().split(begin)
    return begin.join([header, *count * [min(scans, key=len)], *scans])


def png_in_chunks(count: int) -> bytes:
    """A whole page with ``count`` empty chunks, which mean nothing, before its end."""
    page, end = page_png()[:-12], page_png()[-12:]
    return page + count * _chunk(b"prVt", b"") + end


def heic() -> bytes:
    """The start of a photograph of a kind that is not read."""
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def rotated_jpeg(orientation: int) -> bytes:
    """A page stored turned, with the EXIF orientation (2 to 8) that makes it `page_array` again."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return encoded(_page().transpose(_STORED_AS[orientation]), "JPEG", quality=95, exif=exif)


def bomb_png(side_px: int = 50_000) -> bytes:
    """Under a hundred bytes that claim ``side_px`` squared pixels."""
    return _png((side_px, side_px), 8, _RGB, b"")


def noise_jpeg(seed: int = 0) -> bytes:
    """Uniform noise of a page's size, strongly compressed."""
    return encoded(Image.fromarray(_noise(seed)), "JPEG", quality=30)


def noise_png(seed: int = 0) -> bytes:
    """Uniform noise of a page's size: nothing compresses it."""
    return encoded(Image.fromarray(_noise(seed)), "PNG", compress_level=0)


def blank_png() -> bytes:
    """White paper of a page's size."""
    return encoded(Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white"), "PNG")


def page_without_leads_png(*leads: Lead, seed: int = 0) -> bytes:
    """A page on which these leads, by default the middle row, were wiped: their boxes are paper without grid."""
    page = page_array(seed=seed).copy()
    for lead in leads or (Lead.II, Lead.AVL, Lead.V2, Lead.V5):
        box = dict(EDAN_3X4_R1.lead_boxes)[lead]
        page[box.top : box.bottom, box.left : box.right] = 255
    return encoded(Image.fromarray(page), "PNG", compress_level=1)


def page_without_a_pulse_png() -> bytes:
    """A page whose second calibration pulse is covered."""
    page = page_array().copy()
    page[670:790, 90:140] = 255
    return encoded(Image.fromarray(page), "PNG", compress_level=1)


def resized_png(width_px: int, height_px: int) -> bytes:
    """A page scaled to another size."""
    return encoded(_page().resize((width_px, height_px)), "PNG", compress_level=1)


def _page(class_name: str = "normal", seed: int = 0) -> Image.Image:
    return Image.fromarray(page_array(class_name, seed))


def _noise(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)


_GRAY, _RGB = 0, 2  # PNG specification 11.2.1, colour types


def _png(
    size_px: tuple[int, int], bit_depth: int, colour_type: int, samples: bytes, *, transparent_level: int | None = None
) -> bytes:
    """A PNG chunk by chunk, rows unfiltered: for kinds that Pillow does not write."""
    row_bytes = len(samples) // size_px[1]
    rows = (samples[start : start + row_bytes] for start in range(0, len(samples), row_bytes or 1))
    header = struct.pack(">IIBBBBB", *size_px, bit_depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), level=1)
    level = b"" if transparent_level is None else _chunk(b"tRNS", struct.pack(">H", transparent_level))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + level + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
