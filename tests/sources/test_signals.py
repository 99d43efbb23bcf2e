"""WFDB, MUSE XML and Philips XML: samples to the microvolt, and refusals by name."""

import numpy as np
import pytest

from shared_preproc.errors import PreprocError, UndecodableImageError, UnsupportedFormatError
from sources import muse, signal_files
from sources.read import read_source
from sources.source import ImageSource, RecordingSource
from tests.factories import page_jpeg, page_png
from tests.sources.signals import MUSE_UV, muse_xml, philips_xml, stored, wfdb_files, zipped

ENTITY = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def recorded(data: bytes) -> RecordingSource:
    source = read_source(data)
    assert isinstance(source, RecordingSource)
    return source


def test_pictures_are_handed_on_untouched() -> None:
    for kind, data in (("jpeg", page_jpeg()), ("png", page_png())):
        source = read_source(data)
        assert isinstance(source, ImageSource)
        assert (source.kind, source.page) == (kind, data)


def test_other_files_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedFormatError, match="ZIP archive"):
        read_source(zipped({"page.txt": b"text"}))


# --- WFDB -----------------------------------------------------------------------------------------------------------


def test_wfdb_record_gives_its_samples() -> None:
    raw = stored()
    source = recorded(zipped({f"folder/{name}": data for name, data in wfdb_files(raw).items()}))
    assert source.kind == "wfdb"
    assert np.abs(source.recording.signal_mv - raw / 1000).max() < 1e-6


def test_long_wfdb_record_is_cut_to_ten_seconds() -> None:
    assert recorded(zipped(wfdb_files(stored(6000)))).recording.signal_mv.shape == (12, 5000)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda files: {name: data for name, data in files.items() if name.endswith(".hea")}, "signal files"),
        (lambda files: {**files, "other.hea": files["record.hea"]}, "2 header files"),
        (lambda files: {**files, "record.hea": files["record.hea"].replace(b"/mV", b"/mmHg")}, "no voltage"),
        (lambda files: {**files, "big": bytes(70 * 2**20)}, "too large"),
    ],
    ids=["no data", "two headers", "other unit", "bomb"],
)
def test_unusable_wfdb_records_are_refused_by_name(change: object, found: str) -> None:
    assert callable(change)
    with pytest.raises(UnsupportedFormatError, match=found):
        read_source(zipped(change(wfdb_files(stored()))))


@pytest.mark.parametrize("name", [b"../record.dat", b"../../../../etc/passwd", b"/etc/passwd", b"other.dat"])
def test_wfdb_header_names_files_of_the_zip_only(name: bytes) -> None:
    files = wfdb_files(stored())
    with pytest.raises(PreprocError):
        read_source(zipped({**files, "record.hea": files["record.hea"].replace(b"record.dat", name)}))


def test_damaged_wfdb_header_is_refused() -> None:
    files = wfdb_files(stored())
    with pytest.raises(UndecodableImageError):
        read_source(zipped({**files, "record.hea": b"\xff\xfe nonsense"}))


# --- MUSE XML -------------------------------------------------------------------------------------------------------


def test_muse_leads_are_read_and_the_others_derived() -> None:
    raw = stored()
    source = recorded(muse_xml(raw))
    first, second = raw[0] * MUSE_UV / 1000, raw[1] * MUSE_UV / 1000
    expected = {0: first, 1: second, 2: second - first, 3: -(first + second) / 2, 4: first - second / 2}
    assert source.kind == "muse_xml"
    for row, signal_mv in {**expected, 5: second - first / 2, 11: raw[11] * MUSE_UV / 1000}.items():
        assert np.abs(source.recording.signal_mv[row] - signal_mv).max() < 1e-9


@pytest.mark.parametrize(
    ("data", "error", "found"),
    [
        (muse_xml(stored(), ENTITY), UnsupportedFormatError, "entities"),
        (muse_xml(stored())[:5000], UndecodableImageError, "MUSE"),
        (muse_xml(stored()).replace(b"<LeadID>V3", b"<LeadID>XX"), UnsupportedFormatError, "without V3"),
        (muse_xml(stored()).replace(b"Rhythm", b"Median"), UnsupportedFormatError, "rhythm"),
        (muse_xml(stored()).replace(b"</RestingECG>", b"<a/>" * 100_001), UnsupportedFormatError, "tags"),
        (muse_xml(stored()).replace(b"<SampleBase>500", b"<SampleBase>nan"), UnsupportedFormatError, "nan samples"),
        (muse_xml(stored()).replace(b">0</SampleExp", b">999999999</SampleExp"), UndecodableImageError, "MUSE"),
    ],
    ids=["entities", "cut short", "lead missing", "median only", "tags", "no rate", "huge rate"],
)
def test_unusable_muse_documents_are_refused(data: bytes, error: type[PreprocError], found: str) -> None:
    with pytest.raises(error, match=found):
        read_source(data)


# --- Philips XML ----------------------------------------------------------------------------------------------------


def test_philips_leads_are_unpacked() -> None:
    raw = stored()
    source = recorded(philips_xml(raw))
    assert source.kind == "philips_xml"
    assert np.abs(source.recording.signal_mv - raw * 5 / 1000).max() < 1e-9


@pytest.mark.parametrize(
    ("data", "error", "found"),
    [
        (philips_xml(stored(), prologue=ENTITY), UnsupportedFormatError, "entities"),
        (philips_xml(stored(), version="9.9"), UnsupportedFormatError, "version"),
        (philips_xml(stored())[:40_000], UndecodableImageError, "Philips"),
    ],
    ids=["entities", "version", "cut short"],
)
def test_unusable_philips_documents_are_refused(data: bytes, error: type[PreprocError], found: str) -> None:
    with pytest.raises(error, match=found):
        read_source(data)


# --- what is not installed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [zipped(wfdb_files(stored())), philips_xml(stored()), muse_xml(stored())])
def test_missing_packages_are_named(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (signal_files, muse):
        monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(UnsupportedFormatError, match=r"pip install ecg-report-classifier\[signals\]"):
        read_source(data)


def test_refusals_name_no_file() -> None:
    files = {name.replace("record", "CANARY"): data for name, data in wfdb_files(stored()).items()}
    with pytest.raises(PreprocError) as refusal:
        read_source(zipped(files))
    assert "CANARY" not in str(refusal.value)
