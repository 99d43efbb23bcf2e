"""DICOM objects: the picture, document or waveform inside; broken ones are refused."""

import logging
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import UID

from shared_preproc.errors import PreprocError, UndecodableImageError, UnsupportedFormatError
from shared_preproc.recording import RECORDED_LEADS
from sources import dicom as dicom_module
from sources.dicom import read_dicom
from sources.read import read_source
from sources.source import ImageSource, RecordingSource
from tests.factories import HEIGHT_PX, WIDTH_PX, encoded, page_array, page_jpeg
from tests.sources.dicoms import (
    CANARY,
    Scale,
    encapsulated_pdf,
    jpeg_capture,
    native_capture,
    shipped_waveform,
    waveform,
)
from tests.sources.pdfs import ecg_pdf, scan_pdf

SIZE_PX = (WIDTH_PX, HEIGHT_PX)
DEFLATED = UID("1.2.840.10008.1.2.1.99")


def raw_samples(samples: int = 5000) -> np.ndarray:
    return np.random.default_rng(0).integers(-400, 400, (12, samples)).astype(np.int16)


def recorded(data: bytes) -> RecordingSource:
    source = read_dicom(data)
    assert isinstance(source, RecordingSource)
    return source


# --- pictures and documents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [False, True])
def test_jpeg_capture_keeps_the_frame_of_any_length(odd: bool) -> None:
    jpeg = page_jpeg()
    if len(jpeg) % 2 != odd:
        jpeg = jpeg[:2] + b"\xff\xfe\x00\x03a" + jpeg[2:]  # a comment
    source = read_dicom(jpeg_capture(jpeg, SIZE_PX))
    assert isinstance(source, ImageSource)
    assert (source.kind, source.page) == ("dicom_image", jpeg)


@pytest.mark.parametrize("planar", [False, True])
def test_rgb_capture_gives_the_gray_of_a_png(planar: bool) -> None:
    source = read_dicom(native_capture(page_array(), "RGB", planar=planar))
    assert isinstance(source, ImageSource)
    assert np.array_equal(source.page, np.asarray(Image.fromarray(page_array()).convert("L")))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_gray_capture_is_black_on_white(photometric: str) -> None:
    gray = np.asarray(Image.fromarray(page_array()).convert("L"))
    stored = 255 - gray if photometric == "MONOCHROME1" else gray
    source = read_dicom(native_capture(stored, photometric))
    assert isinstance(source, ImageSource)
    assert np.array_equal(source.page, gray)


def test_encapsulated_pdf_is_cut_to_its_length() -> None:
    document = scan_pdf(page_jpeg(), SIZE_PX)
    source = read_dicom(encapsulated_pdf(document))
    assert isinstance(source, ImageSource)
    assert (source.kind, source.page) == ("pdf_scan", page_jpeg())


def test_curves_inside_an_encapsulated_pdf_are_read() -> None:
    assert read_source(encapsulated_pdf(ecg_pdf())).kind == "pdf_curves"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (native_capture(np.zeros((20, 20), np.uint8), "PALETTE COLOR"), "8 bits, PALETTE COLOR"),
        (jpeg_capture(b"JPEG 2000", SIZE_PX).replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.90"), "4.90"),
    ],
)
def test_other_pictures_are_refused_by_name(data: bytes, found: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=found):
        read_dicom(data)


# --- waveforms ------------------------------------------------------------------------------------------------------


def test_shipped_waveform_obeys_einthoven() -> None:
    source = recorded(shipped_waveform())
    first, second, third, *_ = source.recording.signal_mv
    assert source.recording.rate_hz == 1000
    assert np.abs(second - first - third).max() < 1e-9
    assert 0.5 < np.ptp(first) < 3


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1e-3), ("mV", 1.0), ("UV", 1e-3)])
@pytest.mark.parametrize("scheme", ["SCPECG", "MDC"])
def test_samples_become_millivolt(unit: str, factor: float, scheme: str) -> None:
    raw = raw_samples()
    scale = Scale(0.0025 / factor, 2.0, 0.1 / factor, unit)
    source = recorded(waveform(raw, scale, scheme=scheme))
    expected = (raw * scale.sensitivity * scale.correction + scale.baseline) * factor
    assert np.abs(source.recording.signal_mv - expected).max() < 1e-9


def test_median_beats_are_left_out() -> None:
    assert recorded(waveform(raw_samples(), median_first=True)).recording.signal_mv.shape == (12, 5000)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (waveform(raw_samples(2000)), "of 4.0 s"),
        (waveform(raw_samples(), Scale(unit="mmHg")), "another unit"),
        (waveform(raw_samples(), Scale(unit="mV")), "range of"),
        (waveform(raw_samples()).replace(b"5.6.3-9-3\0", b"5.6.3-9-99"), "without V1"),
    ],
    ids=["short", "other unit", "microvolt called millivolt", "lead missing"],
)
def test_unusable_waveforms_are_refused_by_name(data: bytes, found: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=found):
        read_dicom(data)


def test_short_data_is_damaged() -> None:
    data = waveform(raw_samples())
    with pytest.raises(UndecodableImageError):
        read_dicom(data[: len(data) // 2])


# --- hostile and private --------------------------------------------------------------------------------------------


def test_mutated_objects_are_read_or_refused() -> None:
    rng = np.random.default_rng(1)
    small = encoded(Image.new("RGB", (64, 48), "white"), "JPEG")
    bases = [waveform(raw_samples(500)), jpeg_capture(small, (64, 48)), native_capture(page_array()[:8, :8], "RGB")]
    for number in range(600):
        mutant = bytearray(bases[number % len(bases)])
        for _ in range(rng.integers(1, 8)):
            mutant[rng.integers(132, min(len(mutant), 2500))] = rng.integers(256)
        try:
            read_dicom(bytes(mutant))
        except PreprocError:
            continue


def test_deflated_object_is_refused_unopened() -> None:
    bomb = native_capture(np.zeros((4, 4), np.uint8), "MONOCHROME2")
    plain = b"1.2.840.10008.1.2.1\0"
    assert plain in bomb
    with pytest.raises(UnsupportedFormatError, match=r"1\.2\.840\.10008\.1\.2\.1\.99"):
        read_dicom(_with_syntax(bomb, DEFLATED) + zlib.compress(bytes(10**8)))


@pytest.mark.parametrize("undefined", [False, True], ids=["elements", "items"])
def test_millions_of_elements_are_refused(undefined: bool) -> None:
    head = native_capture(np.zeros((4, 4), np.uint8), "MONOCHROME2")
    item = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    tiny = b"\x09\x00\x01\x00LO\x00\x00" * 1_000_000
    sequence = b"\x00\x54\x00\x01SQ\x00\x00\xff\xff\xff\xff" + item * 1_000_000
    with pytest.raises(UndecodableImageError):
        read_dicom(head + (sequence if undefined else tiny))


def test_identities_reach_no_message_log_or_warning(caplog: pytest.LogCaptureFixture) -> None:
    data = waveform(raw_samples(2000))
    assert CANARY.encode() in data
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(PreprocError) as refusal:
            read_dicom(data.replace(b"UI", b"DA", 3))
    assert "CANARY" not in str(refusal.value) + caplog.text + "".join(str(one.message) for one in caught)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_module, "find_spec", lambda _: None)
    with pytest.raises(UnsupportedFormatError, match=r"\[dicom\]"):
        read_source(shipped_waveform())


def test_lead_order_is_that_of_the_codes() -> None:
    raw = np.repeat(np.arange(12, dtype=np.int16)[:, np.newaxis], 5000, axis=1)
    source = recorded(waveform(raw, Scale(1.0, 1.0, 0.0)))
    assert (source.recording.signal_mv[:, 0] * 1000).round().astype(int).tolist() == list(range(12))
    assert len(RECORDED_LEADS) == 12


def _with_syntax(data: bytes, syntax: UID) -> bytes:
    """The same file with another transfer syntax in its header, whose length is put right."""
    old = b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"
    new = syntax.encode() + b"\0" * (len(syntax) % 2)
    assert old in data
    length = int.from_bytes(data[140:144], "little") + len(new) - 20
    data = data.replace(old, b"\x02\x00\x10\x00UI" + len(new).to_bytes(2, "little") + new)
    return data[:140] + length.to_bytes(4, "little") + data[144:]
