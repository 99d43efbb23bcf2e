"""A page that was scaled, moved, turned, tilted, bent or photographed is read where it stands; nothing else is."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.distortions import KINDS, distorted
from shared_preproc.errors import NotAnEcgPageError, PreprocError, UnsuitableDimensionsError
from shared_preproc.evidence import Doubt, examine
from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.page import Gray, Page, decode_page
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.placement import EXPORT
from shared_preproc.registration import register
from shared_preproc.sheet import Sheet, place
from shared_preproc.spec import TRACES_50_HZ
from tests.factories import page_array, page_jpeg
from trainer.foreign import charts, noises

LAYOUT = EDAN_3X4_R1


@cache
def export() -> Gray:
    return decode_page(page_jpeg("normal", 3), LAYOUT).gray


@cache
def export_reading() -> PageReading:
    return read_page(Page(export(), "PNG"), TRACES_50_HZ)


def placed(gray: Gray) -> Sheet:
    return place(Page(gray, "PNG"), LAYOUT)


def examined(sheet: Sheet) -> tuple[Doubt, ...]:
    reading = read_page(sheet.page, TRACES_50_HZ)
    return examine(sheet.page, reading, TRACES_50_HZ, placement=sheet.placement, form=sheet.form)


def resized(gray: Gray, width_px: int, height_px: int) -> Gray:
    return np.asarray(cv2.resize(gray, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8)


def gray_of(kind: str, seed: int) -> Gray:
    colour = np.ascontiguousarray(page_array("normal", 3)[:, :, ::-1])
    return np.asarray(cv2.cvtColor(distorted(colour, kind, seed), cv2.COLOR_BGR2GRAY), np.uint8)


def test_export_keeps_its_bits() -> None:
    sheet = placed(export())
    assert sheet.placement == EXPORT
    assert sheet.page.gray is export()


def test_export_cropped_within_the_tolerance_keeps_its_bits() -> None:
    cropped = export()[:-20, :-15]
    assert placed(cropped).page.gray is cropped


@pytest.mark.parametrize("size", [(2216, 1575), (2232, 1591), (2203, 1565), (2233, 1552)])
def test_page_resized_by_a_percent_is_scaled_back(size: tuple[int, int]) -> None:
    sheet = placed(resized(export(), *size))
    assert sheet.placement.kind == "scaled"
    assert sheet.placement.scale == pytest.approx(np.sqrt(size[0] / 2213 * size[1] / 1572), abs=5e-4)
    assert examined(sheet) == ()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turn_is_undone_exactly(turns: int) -> None:
    sheet = placed(np.ascontiguousarray(np.rot90(export(), -turns)))
    assert (sheet.placement.kind, sheet.placement.turned_deg) == ("shifted", 90 * turns)
    np.testing.assert_array_equal(sheet.page.gray, export())


def test_shift_by_whole_pixels_is_undone_exactly() -> None:
    shifted = np.full_like(export(), 255)
    shifted[3:, 5:] = export()[:-3, :-5]
    sheet = placed(shifted)
    assert sheet.placement.kind == "shifted"
    np.testing.assert_array_equal(sheet.page.gray[:-3, :-5], export()[:-3, :-5])
    assert examined(sheet) == ()


def test_crop_to_the_frame_reads_the_same_traces() -> None:
    sheet = placed(export()[289:1512, 75:2170])
    traces = read_page(sheet.page, TRACES_50_HZ).traces
    for lead, own in export_reading().traces.items():
        np.testing.assert_array_equal(traces[lead].signal_mv, own.signal_mv)
    assert examined(sheet) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_distorted_page_is_read_close_to_its_export(kind: str) -> None:
    sheet = placed(gray_of(kind, seed=11))
    traces = read_page(sheet.page, TRACES_50_HZ).traces
    assert sheet.placement.residual_mm is not None
    assert sheet.placement.residual_mm < 0.08
    off_mv = [
        np.median(np.abs(traces[lead].signal_mv - own.signal_mv)) for lead, own in export_reading().traces.items()
    ]
    assert max(off_mv) < 0.03


@pytest.mark.parametrize("degrees", [-5, 2, 5])
def test_tilt_is_measured(degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((1106, 786), -degrees, 0.9)
    tilted = cv2.warpAffine(export(), turn, (2213, 1572), flags=cv2.INTER_CUBIC, borderValue=255)
    placement = placed(np.asarray(tilted, np.uint8)).placement
    assert placement.kind == "tilted"
    assert placement.tilt_deg == pytest.approx(degrees, abs=0.02)
    assert placement.scale == pytest.approx(0.9, abs=1e-3)


def test_missing_pulse_of_a_cropped_page_is_doubted() -> None:
    page = export().copy()
    page[670:790, 90:140] = 255
    assert [doubt.code for doubt in examined(placed(page[280:1520, 60:2180]))] == ["form_unclear"]


def test_page_cut_within_a_lead_is_doubted() -> None:
    codes = [doubt.code for doubt in examined(placed(export()[289:1512, 75:2080]))]
    assert "page_cut" in codes


def test_two_pages_on_one_picture_are_doubted() -> None:
    half = resized(export(), 1300, 923)
    assert "several_pages" in [doubt.code for doubt in examined(placed(np.vstack([half, half])))]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda page: page[:, : page.shape[1] // 2],
        lambda page: page[: page.shape[0] // 2],
        np.fliplr,
        np.flipud,
        lambda page: 255 - page,
        lambda page: resized(page, 300, 213),
    ],
    ids=["left half", "upper half", "mirrored", "upside down and mirrored", "inverted", "tiny"],
)
def test_spoiled_page_is_refused(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises((NotAnEcgPageError, UnsuitableDimensionsError)):
        examined(placed(np.ascontiguousarray(spoil(export()))))


def test_charts_and_noise_are_refused() -> None:
    for _, gray in (*charts(), *noises()):
        with pytest.raises(UnsuitableDimensionsError):
            register(gray, LAYOUT)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (40, 30), (12_000, 8000)])
def test_blank_picture_of_any_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UnsuitableDimensionsError):
        placed(np.full(size, 255, np.uint8))


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.campaign)])
def test_pages_of_other_carts_are_refused(shared_dir: Path, step: int) -> None:
    for folder in ("other-pages", "any-page"):
        for file in sorted((shared_dir / "data" / folder).rglob("*.*g"))[::step]:
            with pytest.raises(PreprocError):
                examined(placed(np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8)))


def test_reported_crops_are_read_without_doubt(shared_dir: Path) -> None:
    files = sorted((shared_dir / "reported" / "cropped").glob("*.jpg"))
    assert len(files) == 8
    for file in files:
        sheet = placed(np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8))
        assert sheet.placement.kind == "shifted"
        assert examined(sheet) == ()
