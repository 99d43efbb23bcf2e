"""Open one PDF page with PDFium; run by `sources.disposable`, never imported by the service.

``pdf_process.py look`` answers with the page's scan, or with its polylines and texts; ``pdf_process.py render`` with
its pixels. Lengths are PDF points (1/72 inch) of the page as displayed, x to the right and y up. PDFium's functions are
documented in its fpdfview.h and fpdf_edit.h.
"""

import ctypes
import json
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pypdfium2.raw as pdfium

_MOST_SIDE_PT = 1700.0  # A2
_LEAST_SIDE_PT = 72.0
_MOST_OBJECTS = 100_000
_MOST_SEGMENTS = 400_000  # twelve leads of 10 s at 1 kHz take 120,000
_MOST_DEPTH = 4  # of forms in forms
_MOST_TEXT_CHARS = 40  # longer texts name no lead and no scale
_FEWEST_POINTS = 4  # of a calibration pulse; grid lines have two
_RENDER_DPI = 200
_SCAN_SHARE = 0.25  # of the page's area that its only picture covers at least
_FEWEST_SCAN_PX = 500
_MOST_SCAN_PX = 40_000_000
_MOST_SCAN_PATHS = 20  # frames and the like
_UNTURNED = 1e-3

Handle: TypeAlias = ctypes.c_void_p  # of PDFium's page, object or path
Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class RefusedError(Exception):
    """The page is refused; the message is a code that `sources.pdf` puts into words."""


def main() -> None:
    """Answer on stdout: one line of JSON, then bytes."""
    data = sys.stdin.buffer.read()
    pdfium.FPDF_InitLibrary()
    try:
        header, payload = _answer(data, rendering=sys.argv[1] == "render")
    except RefusedError as refusal:
        code, *details = refusal.args
        header, payload = {"refused": code, "details": details}, b""
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + payload)


def _answer(data: bytes, *, rendering: bool) -> tuple[dict[str, Any], bytes]:
    page = _open(data)
    if rendering:
        return _rendered(page, _RENDER_DPI / 72)
    objects = list(_objects(page, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject, _page_matrix(page), 0))
    segments = sum(pdfium.FPDFPath_CountSegments(one) for kind, one, _ in objects if kind == pdfium.FPDF_PAGEOBJ_PATH)
    if segments > _MOST_SEGMENTS:
        raise RefusedError("segments", _MOST_SEGMENTS)
    return _scan(page, objects) or _drawing(page, objects)


def _open(data: bytes) -> Handle:
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        encrypted = pdfium.FPDF_GetLastError() in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}
        raise RefusedError("encrypted" if encrypted else "damaged")
    pages = pdfium.FPDF_GetPageCount(document)
    if pages != 1:
        raise RefusedError("pages", pages)
    size = pdfium.FS_SIZEF()
    if not pdfium.FPDF_GetPageSizeByIndexF(document, 0, size):
        raise RefusedError("damaged")
    sides = (size.width, size.height)
    if not (min(sides) >= _LEAST_SIDE_PT and max(sides) <= _MOST_SIDE_PT):
        raise RefusedError("size", *(f"{min(side, 1e9):.0f}" for side in sides))
    page = pdfium.FPDF_LoadPage(document, 0)
    if not page:
        raise RefusedError("damaged")
    opened: Handle = page
    return opened


def _page_matrix(page: Handle) -> Matrix:
    """The matrix from the page's own coordinates to those of the page as displayed; shifts are left out."""
    turns: dict[int, Matrix] = {
        1: (0.0, -1.0, 1.0, 0.0, 0.0, 0.0),
        2: (-1.0, 0.0, 0.0, -1.0, 0.0, 0.0),
        3: (0.0, 1.0, -1.0, 0.0, 0.0, 0.0),
    }
    return turns.get(pdfium.FPDFPage_GetRotation(page), _IDENTITY)


def _objects(
    holder: Handle, count: Callable[[Handle], int], get: Callable[[Handle, int], Handle], matrix: Matrix, depth: int
) -> Iterator[tuple[int, Any, Matrix]]:
    """Every path, text and picture, also inside forms: its type, handle and matrix to the displayed page."""
    found = count(holder)
    if found > _MOST_OBJECTS:
        raise RefusedError("objects", _MOST_OBJECTS)
    for place in range(found):
        one = get(holder, place)
        kind, placed = pdfium.FPDFPageObj_GetType(one), _times(_matrix(one), matrix)
        if kind != pdfium.FPDF_PAGEOBJ_FORM:
            yield kind, one, placed
        elif depth < _MOST_DEPTH:
            yield from _objects(one, pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject, placed, depth + 1)


def _matrix(one: Handle) -> Matrix:
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(one, matrix)
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _times(first: Matrix, then: Matrix) -> Matrix:
    """The matrix that applies ``first``, then ``then`` (ISO 32000-1, 8.3.4)."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = then
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def _scan(page: Handle, objects: list[tuple[int, Any, Matrix]]) -> tuple[dict[str, Any], bytes] | None:
    """The page's only picture, if the page is a scan; None: it is not."""
    pictures = [(one, matrix) for kind, one, matrix in objects if kind == pdfium.FPDF_PAGEOBJ_IMAGE]
    paths = sum(kind == pdfium.FPDF_PAGEOBJ_PATH for kind, _, _ in objects)
    if len(pictures) != 1 or paths > _MOST_SCAN_PATHS:
        return None
    (picture, (a, b, c, d, _, _)) = pictures[0]
    width, height = ctypes.c_uint(), ctypes.c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(picture, width, height)
    page_area = pdfium.FPDF_GetPageWidthF(page) * pdfium.FPDF_GetPageHeightF(page)
    if min(width.value, height.value) < _FEWEST_SCAN_PX or abs(a * d - b * c) < _SCAN_SHARE * page_area:
        return None
    if width.value * height.value > _MOST_SCAN_PX:
        raise RefusedError("pixels", width.value, height.value)
    unturned = a > 0 and d > 0 and max(abs(b / a), abs(c / d)) < _UNTURNED
    if unturned and _last_filter(picture) == b"DCTDecode":
        # All filters before DCTDecode are undone; the JPEG itself is not touched.
        return {"jpeg": True}, _bytes_of(pdfium.FPDFImageObj_GetImageDataDecoded, picture)
    # As many pixels as the picture has: rendering applies whatever turns or mirrors it.
    return _rendered(page, max((width.value * height.value / abs(a * d - b * c)) ** 0.5, 1.0))


def _last_filter(picture: Handle) -> bytes:
    filters = pdfium.FPDFImageObj_GetImageFilterCount(picture)
    if not filters:
        return b""
    name = ctypes.create_string_buffer(32)
    pdfium.FPDFImageObj_GetImageFilter(picture, filters - 1, name, len(name))
    return name.value


def _bytes_of(getter: Callable[[Handle, object, int], int], handle: Handle) -> bytes:
    length = getter(handle, None, 0)
    buffer = ctypes.create_string_buffer(length)
    getter(handle, buffer, length)
    return buffer.raw


def _drawing(page: Handle, objects: list[tuple[int, Any, Matrix]]) -> tuple[dict[str, Any], bytes]:
    """Polylines of at least four points as float32 x, y; and short texts with the place of their lower left corner."""
    points: list[bytes] = []
    lengths: list[int] = []
    texts: list[tuple[str, float, float]] = []
    text_page = pdfium.FPDFText_LoadPage(page)
    for kind, one, matrix in objects:
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            for line in _polylines(one):
                a, b, c, d, e, f = matrix
                lengths.append(len(line))
                points += (struct.pack("<ff", a * x + c * y + e, b * x + d * y + f) for x, y in line)
        elif kind == pdfium.FPDF_PAGEOBJ_TEXT:
            text = _text(one, text_page)
            if text:
                texts.append((text, matrix[4], matrix[5]))
    return {"polylines": lengths, "texts": texts}, b"".join(points)


def _polylines(path: Handle) -> Iterator[list[tuple[float, float]]]:
    """The parts of a path that are drawn with straight lines only."""
    count = pdfium.FPDFPath_CountSegments(path)
    if count < _FEWEST_POINTS:
        return
    x, y, straight = ctypes.c_float(), ctypes.c_float(), True
    line: list[tuple[float, float]] = []
    for place in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(path, place)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            if straight and len(line) >= _FEWEST_POINTS:
                yield line
            line, straight = [], True
        straight = straight and kind != pdfium.FPDF_SEGMENT_BEZIERTO
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        line.append((x.value, y.value))
    if straight and len(line) >= _FEWEST_POINTS:
        yield line


def _text(one: Handle, text_page: Handle) -> str:
    units = pdfium.FPDFTextObj_GetText(one, text_page, None, 0) // 2
    if not 1 < units <= _MOST_TEXT_CHARS:
        return ""
    buffer = (ctypes.c_ushort * units)()
    pdfium.FPDFTextObj_GetText(one, text_page, buffer, units * 2)
    return bytes(buffer).decode("utf-16-le", "replace").strip("\0 ")


def _rendered(page: Handle, px_per_pt: float) -> tuple[dict[str, Any], bytes]:
    """The page's gray, 0 black to 255 white, on white paper."""
    width, height = (
        max(1, round(side * px_per_pt)) for side in (pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page))
    )
    if width * height > _MOST_SCAN_PX:
        raise RefusedError("pixels", width, height)
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, None, 0)
    if not bitmap:
        raise RefusedError("damaged")
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, 0)
    stride = pdfium.FPDFBitmap_GetStride(bitmap)
    rows = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    return {"gray": [height, width]}, b"".join(rows[top : top + width] for top in range(0, stride * height, stride))


if __name__ == "__main__":
    main()
