"""PDF pages: scans keep their bytes, curves are read exactly or not at all, hostile files are refused in time."""

import os
import resource
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared_preproc.errors import PreprocError
from shared_preproc.leads import Lead
from shared_preproc.recording import RECORDED_LEADS
from sources import pdf as pdf_module
from sources.pdf import read_pdf
from sources.pdf_curves import ReadCurves, read_curves
from sources.source import ImageSource, RecordingSource
from tests.factories import HEIGHT_PX, WIDTH_PX, encoded, page_array, page_jpeg
from tests.sources.pdfs import Print, drawn_mv, ecg_pdf, hostile_pdfs, pdf, scan_pdf, stream

SIZE_PX = (WIDTH_PX, HEIGHT_PX)
HOSTILE = (
    "deflate bomb",
    "form that draws itself",
    "forms nested 25 deep",
    "page of 2,000,000 points",
    "3,000,000 segments",
    "1,000,000 paths",
    "picture of 60,000 pixels a side",
    "20,000 pages",
    "password",
    "nothing but the signature",
    "first half",
)
REPOSITORY = Path(__file__).resolve().parents[2]


def image(data: bytes) -> ImageSource:
    source = read_pdf(data)
    assert isinstance(source, ImageSource)
    return source


def curves_of(data: bytes) -> ReadCurves:
    return read_curves(pdf_module._drawing(*pdf_module._run(data, "look")))


# --- scans ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deflated", [False, True])
def test_scan_keeps_the_bytes_of_its_jpeg(deflated: bool) -> None:
    jpeg = page_jpeg()
    packed, filters = (zlib.compress(jpeg), "/FlateDecode /DCTDecode") if deflated else (jpeg, "/DCTDecode")
    source = image(scan_pdf(packed, SIZE_PX, filters))
    assert (source.kind, source.page) == ("pdf_scan", jpeg)


def test_scan_without_jpeg_keeps_its_pixels() -> None:
    source = image(scan_pdf(zlib.compress(page_array().tobytes()), SIZE_PX, "/FlateDecode"))
    assert source.kind == "pdf_scan"
    assert np.array_equal(source.page, np.asarray(Image.fromarray(page_array()).convert("L")))


def test_turned_scan_comes_upright() -> None:
    sideways = encoded(Image.fromarray(np.rot90(page_array()).copy()), "JPEG", quality=95)
    source = image(scan_pdf(sideways, SIZE_PX[::-1], rotate=90))
    gray = np.asarray(Image.fromarray(page_array()).convert("L"), float)
    assert isinstance(source.page, np.ndarray)
    assert np.abs(source.page - gray).mean() < 3


# --- curves ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "page", "matrix"),
    [
        (Print(), "", ""),
        (Print(), "/Rotate 90", ""),
        (Print(), "/Rotate 270", ""),
        (Print(), "", "0 1 -1 0 595 0"),
        (Print(), "", "-1 0 0 -1 842 595"),
        (Print(name_offset=-30.0), "", ""),
        (Print(rate_hz=250, joined=True), "", ""),
        (Print(rate_hz=250, scale=0.9), "", ""),
    ],
    ids=["plain", "turned 90", "turned 270", "drawn turned", "upside down", "names below", "joined", "scaled"],
)
def test_curves_are_read_exactly(how: Print, page: str, matrix: str) -> None:
    curves = curves_of(ecg_pdf(how, page=page, matrix=matrix))
    drawn = drawn_mv(2 * how.rate_hz)
    assert curves.rate_hz == how.rate_hz
    for row, lead in enumerate(RECORDED_LEADS):
        start = 0 if lead is Lead.II else round(row // 3 * 2.5 * 2 * how.rate_hz)
        expected = drawn[row, start::2][: len(curves.samples_mv[lead])]
        assert np.abs(curves.samples_mv[lead] - expected).max() < 1e-5


def test_columns_are_placed_by_the_strip_and_not_where_drawn() -> None:
    source = read_pdf(ecg_pdf(Print(column_step_s=2.48)))
    assert isinstance(source, RecordingSource)
    first = np.flatnonzero(~np.isnan(source.recording.signal_mv[RECORDED_LEADS.index(Lead.V4)]))[0]
    assert first / source.recording.rate_hz == pytest.approx(7.5, abs=1e-3)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (Print(named=False), "no lead name"),
        (Print(pulses=False), "no calibration pulse"),
        (Print(swapped=True), "II - I - III"),
        (Print(late_s=0.3), "beats of chest leads"),
        (Print(text="25 mm/s 10/5 mm/mV"), "more than one gain"),
        (Print(text="25 mm/s 5 mm/mV"), "printed scale"),
    ],
)
def test_unproven_curves_are_drawn_instead(how: Print, reason: str) -> None:
    source = image(ecg_pdf(how))
    assert source.kind == "pdf_rendered"
    assert reason in source.how
    assert isinstance(source.page, np.ndarray)
    assert source.page.shape == (round(595 * 200 / 72), round(842 * 200 / 72))


def test_real_pdfs_are_read_to_their_lattice(shared_dir: Path) -> None:
    files = sorted(shared_dir.glob("data/pdf/*.pdf"))
    assert len(files) == 12
    for file in files:
        curves = curves_of(file.read_bytes())
        assert curves.einthoven_mv <= 0.001
        for signal_mv in curves.samples_mv.values():
            steps = signal_mv * 1000 / 0.2
            assert np.abs(steps - np.round(steps)).max() * 0.2 <= 0.02


# --- hostile files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pdf_is_refused_in_time(name: str) -> None:
    data = hostile_pdfs()[name]
    before, began_s = _children_cpu_s(), time.monotonic()
    with pytest.raises(PreprocError) as refusal:
        read_pdf(data)
    assert _children_cpu_s() - before < 6
    assert time.monotonic() - began_s < 30  # of a machine that others use as well
    assert refusal.value.remedy


def test_slow_rendering_is_refused_in_time() -> None:
    data = pdf(b"0 0 842 595 re f\n" * 79_000, page=">>")
    before = _children_cpu_s()
    with pytest.raises(PreprocError, match="CPU time"):
        read_pdf(data)
    assert _children_cpu_s() - before < 6


def test_hostile_pdf_takes_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "bomb.pdf"
    file.write_bytes(hostile_pdfs()["deflate bomb"])
    script = (
        "import pathlib, resource, sys\n"
        "from sources.pdf import read_pdf\n"
        "try:\n    read_pdf(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "except Exception as error: print(type(error).__name__)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, file],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    refusal, mebibytes = answer.stdout.split()
    assert refusal == "UnsupportedFormatError"
    assert int(mebibytes) < 600


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_module, "find_spec", lambda _: None)
    with pytest.raises(PreprocError, match=r"pip install ecg-report-classifier\[pdf\]"):
        read_pdf(ecg_pdf())


def test_refusals_quote_nothing_of_the_file() -> None:
    secret = stream(b"(CANARY^NAME) Tj")
    with pytest.raises(PreprocError) as refusal:
        read_pdf(pdf(b"0 0 m", size=(5000, 5000), page=">> /Title (CANARY^NAME)", more=[secret]))
    assert "CANARY" not in str(refusal.value)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
