"""PDF files, written by hand: ECG pages as carts draw them, scans, and hostile ones."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared_preproc.recording import RECORDED_LEADS
from synthetic.pages import synth_signals

POINTS_PER_MM = 72 / 25.4
A4_LANDSCAPE = (842.0, 595.0)


def pdf(
    content: bytes, *, size: tuple[float, float] = A4_LANDSCAPE, page: str = "", more: Sequence[bytes] = ()
) -> bytes:
    """One page that runs ``content``; ``more`` are objects 6 and on; ``page`` goes into the page's dictionary."""
    packed = zlib.compress(content)
    return document(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents 4 0 R"
            f" /Resources << /Font << /F1 5 0 R >> {page} >>".encode(),
            stream(packed, "/Filter /FlateDecode"),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            *more,
        ]
    )


def stream(data: bytes, entries: str = "") -> bytes:
    """A stream object of these bytes."""
    return f"<< /Length {len(data)} {entries} >>\nstream\n".encode() + data + b"\nendstream"


def document(objects: Sequence[bytes], trailer: str = "") -> bytes:
    """A PDF of these objects, numbered from 1, the first of which is the catalog."""
    parts, places = [b"%PDF-1.7\n"], []
    for number, one in enumerate(objects, start=1):
        places.append(sum(map(len, parts)))
        parts.append(f"{number} 0 obj\n".encode() + one + b"\nendobj\n")
    start = sum(map(len, parts))
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
    end += f"<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n"
    return b"".join(parts) + end.encode()


def scan_pdf(picture: bytes, size_px: tuple[int, int], filters: str = "/DCTDecode", rotate: int = 0) -> bytes:
    """A page that is one RGB picture at 200 dpi; ``picture`` is encoded as ``filters`` say."""
    width, height = (px * 72 / 200 for px in size_px)
    image = stream(
        picture,
        f"/Type /XObject /Subtype /Image /Width {size_px[0]} /Height {size_px[1]} /ColorSpace /DeviceRGB "
        f"/BitsPerComponent 8 /Filter [{filters}]",
    )
    return pdf(
        f"q {width} 0 0 {height} 0 0 cm /I1 Do Q".encode(),
        size=(width, height),
        page=f"/XObject << /I1 6 0 R >> >> /Rotate {rotate}",
        more=[image],
    ).replace(b">> >>  >>", b">> >>")


@dataclass(frozen=True)
class Print:
    """How a cart draws an ECG page: 3 rows of 4 columns and a strip of lead II."""

    rate_hz: int = 125
    column_step_s: float = 2.48
    """From the start of one column to the next, as drawn; they were recorded 2.5 s apart."""
    name_offset: float = 60.0
    """Of lead names over the zero line, points."""
    joined: bool = False
    """All columns of a row are one line."""
    named: bool = True
    pulses: bool = True
    scale: float = 1.0
    """Of the whole page."""
    text: str = "25 mm/s 10 mm/mV"
    swapped: bool = False
    """The names of II and III are exchanged."""
    late_s: float = 0.0
    """By how much the third column was recorded later than it should have been."""


def ecg_pdf(
    how: Print = Print(), class_name: str = "normal", seed: int = 0, *, page: str = "", matrix: str = ""
) -> bytes:
    """A vector page of a made-up heart; ``matrix`` is applied to all that is drawn, ``page`` as in `pdf`."""
    return pdf(f"q {matrix or '1 0 0 1 0 0'} cm\n{_drawn(how, class_name, seed)}Q".encode(), page=f">> {page}")


def drawn_mv(rate_hz: int, class_name: str = "normal", seed: int = 0) -> NDArray[np.float64]:
    """The heart of `ecg_pdf` at the drawn rate, (12, samples), in whole microvolts."""
    signals = synth_signals(class_name, seed)
    step = round(signals.sampling_rate_hz / rate_hz)
    lead = {name: np.round(row * 1000) / 1000 for name, row in zip(RECORDED_LEADS, signals.mv[:, ::step], strict=True)}
    names = list(lead)
    lead[names[2]] = lead[names[1]] - lead[names[0]]
    lead[names[3]] = -(lead[names[0]] + lead[names[1]]) / 2
    lead[names[4]] = lead[names[0]] - lead[names[1]] / 2
    lead[names[5]] = lead[names[1]] - lead[names[0]] / 2
    return np.stack(list(lead.values()))


def _drawn(how: Print, class_name: str, seed: int) -> str:
    fine_hz = 2 * how.rate_hz
    signal_mv = drawn_mv(fine_hz, class_name, seed)  # columns start between two samples of the drawn rate
    per_s, per_mv = 25 * POINTS_PER_MM * how.scale, 10 * POINTS_PER_MM * how.scale
    samples = round(2.5 * how.rate_hz)
    parts = [f"BT /F1 8 Tf 30 20 Td ({how.text}) Tj ET\n"]
    names = list(RECORDED_LEADS)
    if how.swapped:
        names[1], names[2] = names[2], names[1]
    for row in range(4):
        zero = (440 - 113 * row) * how.scale
        if how.pulses:
            pulse_x = [24, 26, 26, 26 + 0.2 * per_s, 26 + 0.2 * per_s, 28 + 0.2 * per_s]
            parts.append(_line(pulse_x, [zero, zero, zero + per_mv, zero + per_mv, zero, zero]))
        if row == 3:
            strip = signal_mv[1, ::2]
            parts.append(_line(46 + np.arange(len(strip)) / how.rate_hz * per_s, zero + strip * per_mv))
            continue
        line_x: list[float] = []
        line_y: list[float] = []
        for column in range(4):
            start_s = 2.5 * column + (how.late_s if column == 2 else 0)
            start = round(start_s * fine_hz)
            drawn = signal_mv[3 * column + row, start : start + 2 * samples : 2]
            step_s = 2.5 if how.joined else how.column_step_s
            x = 46 + (column * step_s + np.arange(len(drawn)) / how.rate_hz) * per_s
            if how.named:
                name = f"({names[3 * column + row]})"
                parts.append(f"BT /F1 8 Tf {x[0] + 15:.4f} {zero + how.name_offset * how.scale:.4f} Td {name} Tj ET\n")
            if how.joined:
                line_x += x.tolist()
                line_y += (zero + drawn * per_mv).tolist()
            else:
                parts.append(_line(x, zero + drawn * per_mv))
        if how.joined:
            parts.append(_line(line_x, line_y))
    return "".join(parts)


def _line(x: Sequence[float] | NDArray[np.float64], y: Sequence[float] | NDArray[np.float64]) -> str:
    points = [f"{one:.4f} {other:.4f}" for one, other in zip(x, y, strict=True)]
    return f"{points[0]} m {' l '.join(points[1:])} l S\n"


@cache
def hostile_pdfs() -> dict[str, bytes]:
    """Files that use up a reader's time or memory, by name; each of at most 12 MiB."""
    forms = "/Type /XObject /Subtype /Form /BBox [0 0 842 595] /Resources << /XObject << /F {} 0 R >> >>"
    calls_itself = stream(b"/F Do /F Do", forms.format(6))
    nested = [stream(b"/F Do /F Do", forms.format(number + 1)) for number in range(6, 31)]
    nested.append(stream(b"0 0 m 9 9 l S", "/Type /XObject /Subtype /Form /BBox [0 0 842 595]"))
    zigzag = b"0 0 m\n" + b"9 9 l 0 9 l 9 0 l\n" * 1_000_000 + b"S"
    picture = stream(
        zlib.compress(bytes(10_000_000)),
        "/Type /XObject /Subtype /Image /Width 60000 /Height 60000"
        " /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode",
    )
    kids = " ".join(f"{number} 0 R" for number in range(3, 20_003))
    password = f"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <{'5a' * 32}> /U <{'a5' * 32}> >>"
    in_form = "/XObject << /F 6 0 R >> >>"
    return {
        "deflate bomb": pdf(b" " * 400_000_000),
        "form that draws itself": pdf(b"/F Do", page=in_form, more=[calls_itself]),
        "forms nested 25 deep": pdf(b"/F Do", page=in_form, more=nested),
        "page of 2,000,000 points": pdf(b"0 0 m 9 9 l S", size=(2e6, 2e6), page=">>"),
        "3,000,000 segments": pdf(zigzag, page=">>"),
        "1,000,000 paths": pdf(b"0 0 m 9 9 l S\n" * 1_000_000, page=">>"),
        "picture of 60,000 pixels a side": pdf(b"q 842 0 0 595 0 0 cm /F Do Q", page=in_form, more=[picture]),
        "20,000 pages": document(
            [b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count 20000 >>".encode()]
            + [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 595] >>"] * 20_000
        ),
        "password": document(
            [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"],
            f"/ID [<{'00' * 16}> <{'00' * 16}>] {password}",
        ),
        "nothing but the signature": b"%PDF-1.7\n",
        "first half": ecg_pdf()[:9000],
    }
