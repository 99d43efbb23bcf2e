"""PDF reports: a scan's own JPEG, exact curves of a vector page, or the page's pixels."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shared_preproc.decoders.stored import unsupported
from shared_preproc.errors import PreprocError
from shared_preproc.picture import Gray
from sources.disposable import Limits, run_disposable
from sources.pdf_curves import read_curves
from sources.pdf_drawing import Drawing, NotProvenError
from sources.refusals import damaged, not_installed
from sources.source import ImageSource, RecordingSource, Source

__all__ = ["read_pdf"]

_PROCESS = Path(__file__).with_name("pdf_process.py")
_WHAT = "a PDF"
_LIMITS = {"look": Limits(cpu_s=2), "render": Limits(cpu_s=3)}  # 5 s for a page that needs both
_EXPECTED = "a PDF of one page with one 12-lead ECG"


def read_pdf(data: bytes) -> Source:
    """Read a PDF of one page; PDFium runs in a disposable process.

    Raises:
        UnsupportedFormatError: pypdfium2 is not installed; encrypted, several pages, too large in any respect.
        UndecodableImageError: not a PDF that PDFium can open.
    """
    if find_spec("pypdfium2") is None:
        raise not_installed(_WHAT, "pdf")
    header, payload = _run(data, "look")
    if "jpeg" in header:
        return ImageSource("pdf_scan", payload, "The PDF holds one scan: its own JPEG.")
    if "gray" in header:
        return ImageSource("pdf_scan", _gray(header, payload), "The PDF holds one scan: its own pixels.")
    try:
        curves = read_curves(_drawing(header, payload))
    except NotProvenError as reason:
        header, payload = _run(data, "render")
        return ImageSource("pdf_rendered", _gray(header, payload), f"Drawn at 200 dpi, because {reason}.")
    return RecordingSource(
        "pdf_curves",
        curves.recording,
        f"Vector curves at {curves.rate_hz:g} Hz; II - I - III within {curves.einthoven_mv * 1000:.1f} µV, "
        f"columns on the rhythm strip within {curves.timing:.0%}.",
    )


def _run(data: bytes, step: Literal["look", "render"]) -> tuple[dict[str, Any], bytes]:
    header, payload = run_disposable(_PROCESS, data, step, what=_WHAT, limits=_LIMITS[step])
    if "refused" in header:
        raise _refusal(header["refused"], [str(detail) for detail in header["details"]])
    return header, payload


def _refusal(code: str, details: list[str]) -> PreprocError:
    match code:
        case "encrypted":
            return unsupported("an encrypted PDF", _EXPECTED, "Export it without a password.")
        case "pages":
            return unsupported(f"a PDF of {details[0]} pages", _EXPECTED, "Export the page with the ECG alone.")
        case "size":
            return unsupported(
                f"a PDF page of {details[0]} x {details[1]} points",
                "a page between 72 and 1700 points (A2) on either side",
                "Export the report at its paper size.",
            )
        case "pixels":
            return unsupported(
                f"a PDF with {details[0]} x {details[1]} pixels", _EXPECTED, "Scan it at 200 to 300 dpi."
            )
        case "objects" | "segments":
            return unsupported(
                f"a PDF page of more than {details[0]} {code}", _EXPECTED, "Send the page as JPEG or PNG instead."
            )
        case _:
            return damaged(_WHAT)


def _gray(header: dict[str, Any], payload: bytes) -> Gray:
    return np.frombuffer(payload, np.uint8).reshape(header["gray"])


def _drawing(header: dict[str, Any], payload: bytes) -> Drawing:
    points = np.frombuffer(payload, "<f4").reshape(-1, 2).astype(np.float64)
    ends = np.cumsum(header["polylines"], dtype=int)
    lines = np.split(points, ends[:-1]) if len(ends) else []
    return Drawing(tuple(lines), tuple((text, x, y) for text, x, y in header["texts"]))
