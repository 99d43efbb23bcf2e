"""Measurements stand beside the result, and mark beats and intervals below the rhythm strip."""

import re
from dataclasses import replace

import numpy as np
import pytest

from synthetic.intervals import KnownHeart, print_recording, record_known_heart
from tests.web.browser import Visit
from tests.web.conftest import Visiting

HEART = KnownHeart(rate_bpm=72, pr_ms=160, qrs_ms=96, qt_ms=390, axis_deg=50, st_mv=np.zeros(12))
MM_PER_S, LEFT_MM = 25, 10


def page_of(heart: KnownHeart) -> bytes:
    return print_recording(record_known_heart(heart, np.random.default_rng(4))[0])


REGULAR, FIBRILLATING = page_of(HEART), page_of(replace(HEART, pr_ms=None))


def words(visit: Visit) -> str:
    return visit.page.locator("#answer .values").inner_text()


def test_values_are_the_answers(visited: Visit) -> None:
    visited.choose(REGULAR)
    found, shown = visited.answer()["measurements"], " ".join(words(visited).split())
    assert f"PR {found['pr_ms']} ms QRS {found['qrs_ms']} ms" in shown
    assert f"QT {found['qt_ms']} ms QRS axis {found['axis_deg']}°" in shown
    assert f"QTc {found['qtc_fridericia_ms']} ms (Bazett {found['qtc_bazett_ms']} ms)" in shown
    levels = visited.page.locator("#answer .st dd").all_inner_texts()
    assert [float(level) for level in levels] == list(found["st_mv"].values())


def test_what_is_unsure_is_said_to_be_missing(visited: Visit) -> None:
    visited.choose(FIBRILLATING)
    shown = " ".join(words(visited).split())
    assert re.search(r"\d/min, irregular PR not measured QRS \d+ ms", shown)
    assert shown.endswith("QTc not measured")


def test_beats_and_intervals_stand_below_the_strip(visited: Visit) -> None:
    visited.choose(REGULAR)
    found = visited.answer()["measurements"]
    peaks = visited.page.eval_on_selector_all("#ecg .marks .peak", "all => all.map((one) => one.getAttribute('d'))")
    at_s = [(float(re.findall(r"M([\d.]+)", path)[0]) - LEFT_MM) / MM_PER_S for path in peaks]
    assert at_s == pytest.approx([beat["r_s"] for beat in found["beats"]], abs=0.001)
    widths = visited.page.eval_on_selector_all("#ecg .marks .qrs", "all => all.map((one) => one.width.baseVal.value)")
    assert widths == pytest.approx([found["qrs_ms"] / 1000 * MM_PER_S] * len(widths), abs=0.05)
    strip = visited.page.locator("#ecg g[data-lead=rhythm_strip] .curve").bounding_box()
    marks = visited.page.locator("#ecg .marks").bounding_box()
    frame = visited.page.locator("#ecg .ecg-frame").bounding_box()
    assert strip is not None
    assert marks is not None
    assert frame is not None
    assert strip["y"] + strip["height"] < marks["y"]
    assert marks["y"] + marks["height"] < frame["y"] + frame["height"]


def test_marks_are_hidden_by_button_and_key(visited: Visit) -> None:
    visited.choose(REGULAR)
    marks, button = visited.page.locator("#ecg .marks"), visited.page.locator("#ecg [data-tool=marks]")
    assert marks.is_visible()
    button.click()
    assert (marks.is_visible(), button.get_attribute("aria-pressed")) == (False, "false")
    visited.page.keyboard.press("m")
    assert (marks.is_visible(), button.get_attribute("aria-pressed")) == (True, "true")


def test_measurements_are_copied_as_text_and_in_spanish(visiting: Visiting, origin: str) -> None:
    visit = visiting(f"{origin}/?lang=es")
    visit.choose(REGULAR)
    assert "Eje del QRS" in words(visit)
    assert "Nivel del ST" in visit.page.locator("#answer .parts").inner_text()


@pytest.mark.parametrize(
    ("page", "scheme"),
    [
        pytest.param(FIBRILLATING, "dark", id="fibrillating-dark"),
        pytest.param(REGULAR, "light", id="regular-light", marks=pytest.mark.campaign),
    ],
)
def test_nothing_speaks_against_accessibility(visiting: Visiting, page: bytes, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    visit.choose(page)
    assert visit.violations() == []
    assert visit.complaints == []
