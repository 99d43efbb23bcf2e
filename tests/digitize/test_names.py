"""Names, speed and gain on drawn ink."""

import tracemalloc

import numpy as np
import pytest

from digitize import UndigitizedPageError
from digitize.flat import PX_PER_MM, FlatPage
from digitize.gridmap import GridMap, Phase
from digitize.names import NAMES, Token, find_small, find_tokens, judged, read_places
from digitize.scale import printed_value
from digitize.words import find_words
from trainer.pages.typefaces import draw_text

_SIZE = 800, 1600


def page_of(texts: list[tuple[str, int, int]], capital_mm: float, typeface: str = "DejaVuSans") -> FlatPage:
    """A flat page on which texts stand, each with its left and upper edge."""
    ink = np.zeros(_SIZE, np.float32)
    for text, left, top in texts:
        word = draw_text(text, typeface, capital_mm * PX_PER_MM)
        ink[top : top + word.shape[0], left : left + word.shape[1]] = word / np.float32(255)
    width, height = _SIZE[1], _SIZE[0]
    phase = Phase(np.zeros(10), (width, height), None)
    return FlatPage(ink, (0.0, 0.0), GridMap((40.0, 40.0), 0.0, 0.0, 1.0, (width, height), phase, phase))


def names_in_place(capital_mm: float) -> FlatPage:
    """Twelve names, three rows of four."""
    return page_of(
        [(name, 100 + 380 * (place // 3), 100 + 240 * (place % 3)) for place, name in enumerate(NAMES)], capital_mm
    )


def read_in_place(tokens: list[Token]) -> set[str]:
    """Names that stand where `names_in_place` printed them."""
    return {
        token.text
        for token in tokens
        if token.text in NAMES
        and abs(token.left - 100 - 380 * (NAMES.index(token.text) // 3)) < 8
        and abs(token.top - 100 - 240 * (NAMES.index(token.text) % 3)) < 8
    }


def test_small_names_are_read_at_a_second_scale() -> None:
    page = names_in_place(capital_mm=1.4)
    large = find_tokens(page)
    small = find_small(page, large)
    assert len(read_in_place(small)) > len(read_in_place(large))
    assert len(read_in_place(small)) >= 8


def test_name_is_read_at_its_place() -> None:
    page = page_of([("V2", 500, 300)], 2.8)
    assert [token.text for token in read_places(page, [(508.0, 305.0), (900.0, 600.0)], 22.0)] == ["V2"]


@pytest.mark.parametrize("typeface", ["DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif-Bold"])
def test_decimal_speed_and_gain_are_proof(typeface: str) -> None:
    page = page_of([("25.0 mm/s", 200, 700), ("10.0 mm/mV", 420, 700)], 2.4, typeface)
    tokens = find_tokens(page)
    assert printed_value(tokens, "mm/s") == (25.0, True)
    assert printed_value(tokens, "mm/mV") == (10.0, True)


def test_gain_without_its_unit_is_no_proof() -> None:
    tokens = find_tokens(page_of([("25.0 mm/s", 200, 700), ("10.0", 420, 700)], 2.4))
    assert printed_value(tokens, "mm/mV")[1] is False


@pytest.mark.parametrize(("text", "whole"), [("V3", True), ("V4", True), ("V3R", False), ("V4R", False)])
def test_part_of_a_longer_name_is_no_name(text: str, whole: bool) -> None:
    page = page_of([(text, 400, 300)], 2.8)
    found = [token for token in judged(page, find_tokens(page)) if token.text.startswith("V")]
    assert [token.whole for token in found] == [whole]


@pytest.mark.parametrize(
    ("text", "wanted"), [("25mm/s", True), ("12.5mm/s", False), ("7.5mm/mV", False), ("10/5mm/mV", False)]
)
def test_tail_of_a_number_is_no_number(text: str, wanted: bool) -> None:
    page = page_of([(text, 300, 700)], 2.4)
    left = 300.0
    if not wanted:  # what is read begins behind the point or the slash
        left += draw_text(text[: text.index("5mm")], "DejaVuSans", 2.4 * PX_PER_MM).shape[1] + 2
    height = draw_text("5", "DejaVuSans", 2.4 * PX_PER_MM).shape[0]
    token = Token("25mm/s", 0.9, left, 700.0, left + height, 700.0 + height)
    assert judged(page, [token])[0].whole is wanted


def test_other_speed_than_the_reader_knows_is_refused() -> None:
    with pytest.raises(UndigitizedPageError) as refused:
        printed_value([Token("25mm/s", 0.9, 300.0, 700.0, 340.0, 720.0, whole=False)], "mm/s")
    assert refused.value.missing == "speed"


def gain(text: str, score: float, y: float) -> Token:
    """A gain that was read at a height of the page."""
    return Token(text, score, 300.0, y, 340.0, y + 20.0)


def test_weak_gain_in_the_header_refuses_no_page() -> None:
    assert printed_value([gain("10mm/mV", 0.99, 1700.0), gain("5mm/mV", 0.61, 240.0)], "mm/mV") == (10.0, False)


@pytest.mark.parametrize(("y", "proof"), [(240.0, True), (1720.0, False)])
def test_weak_gain_is_doubt_only_near_the_read_one(y: float, proof: bool) -> None:
    pair = [gain("10mm/mV", 0.99, 1700.0), Token("25mm/s", 0.99, 100.0, 1700.0, 140.0, 1720.0)]
    assert printed_value([*pair, gain("5mm/mV", 0.55, y)], "mm/mV") == (10.0, proof)


def test_weak_gain_alone_is_not_read() -> None:
    assert printed_value([gain("5mm/mV", 0.61, 240.0)], "mm/mV") == (None, False)


@pytest.mark.parametrize(("score", "y"), [(0.61, 1720.0), (0.8, 240.0)])
def test_two_gains_on_one_page_are_refused(score: float, y: float) -> None:
    with pytest.raises(UndigitizedPageError):
        printed_value([gain("10mm/mV", 0.99, 1700.0), gain("5mm/mV", score, y)], "mm/mV")


def test_word_of_the_header_is_no_gain() -> None:
    pair = [gain("10mm/mV", 0.99, 1700.0), Token("25mm/s", 0.99, 100.0, 1700.0, 140.0, 1720.0)]
    assert printed_value([*pair, gain("5mm/mV", 0.85, 240.0)], "mm/mV", 400.0) == (10.0, True)


def test_other_gain_in_the_header_beside_a_speed_is_refused() -> None:
    pair = [gain("10mm/mV", 0.99, 1700.0), Token("25mm/s", 0.99, 100.0, 1700.0, 140.0, 1720.0)]
    other = [gain("5mm/mV", 0.85, 240.0), Token("25mm/s", 0.99, 100.0, 240.0, 140.0, 260.0)]
    with pytest.raises(UndigitizedPageError):
        printed_value([*pair, *other], "mm/mV", 400.0)


def test_a_large_page_is_looked_at_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of([("V3", 300, 100), ("aVR", 600, 388), ("V6", 900, 640)], 2.8)
    whole = find_tokens(page)
    monkeypatch.setattr("digitize.names._BAND_PX", 100_000)
    assert find_tokens(page) == whole
    assert {"V3", "aVR", "V6"} <= {token.text for token in whole}


def test_a_page_full_of_print_takes_little_memory() -> None:
    """Letters are compared with one another: 30,000 of them would take gigabytes."""
    ink = np.zeros((1600, 2400), np.float32)
    ink[np.arange(1600) % 14 < 10] = 1
    ink[:, np.arange(2400) % 8 < 4] = 0
    tracemalloc.start()
    find_words(ink)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 400 * 2**20
