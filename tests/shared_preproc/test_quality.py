"""The facts of a page agree with what was printed on it."""

from dataclasses import asdict

import numpy as np
import pytest

from shared_preproc import quality
from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.leads import Lead
from shared_preproc.page import Page, decode_page
from shared_preproc.pipeline import read_page
from shared_preproc.quality import Quality, measure_quality
from shared_preproc.spec import TRACES_50_HZ
from synthetic.pages import synth_jpeg

BOXES = dict(EDAN_3X4_R1.lead_boxes)


def measured(page: Page) -> Quality:
    return measure_quality(read_page(page, TRACES_50_HZ), TRACES_50_HZ)


@pytest.mark.parametrize("class_name", ["normal", "myocardial_infarction", "history_of_mi"])
def test_heart_rate_is_the_printed_one(class_name: str) -> None:
    for seed in range(3):
        found = measured(decode_page(synth_jpeg(class_name, seed), EDAN_3X4_R1))
        assert found.heart_rate_bpm is not None
        assert 50 < found.heart_rate_bpm < 110
        assert found.einthoven_residual_mv < 0.05
        assert min(found.coverage.values()) > 0.95


@pytest.mark.parametrize(
    ("rate", "band"), [(59.9, "slow"), (60.0, "normal"), (100.0, "normal"), (100.1, "fast"), (None, None)]
)
def test_rates_from_60_to_100_are_normal(monkeypatch: pytest.MonkeyPatch, rate: float | None, band: str | None) -> None:
    monkeypatch.setattr(quality, "heart_rate_bpm", lambda *_: rate)
    assert measured(decode_page(synth_jpeg("normal", 0), EDAN_3X4_R1)).rate == band


def test_an_empty_page_has_no_heart_rate() -> None:
    blank = np.full((EDAN_3X4_R1.height_px, EDAN_3X4_R1.width_px), 255, np.uint8)
    found = measured(Page(blank, "PNG"))
    assert (found.heart_rate_bpm, found.rate, found.regular) == (None, None, None)
    assert set(found.coverage.values()) == {0.0}


def test_exchanged_limb_leads_show_in_the_residual() -> None:
    page = decode_page(synth_jpeg("normal", 0), EDAN_3X4_R1)
    gray = page.gray.copy()
    first, second = (np.s_[box.top : box.bottom, box.left : box.right] for box in (BOXES[Lead.I], BOXES[Lead.II]))
    gray[first], gray[second] = page.gray[second], page.gray[first]
    assert measured(Page(gray, "PNG")).einthoven_residual_mv > 4 * measured(page).einthoven_residual_mv


def test_facts_are_in_page_order() -> None:
    found = measured(decode_page(synth_jpeg("normal", 0), EDAN_3X4_R1))
    assert tuple(asdict(found)["coverage"]) == EDAN_3X4_R1.leads
