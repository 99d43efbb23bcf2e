"""What a report page carries besides its signals: frame, grid, texts.

Positions, sizes and colours were measured on real EDAN SE-3 pages; all are pixels of the 2213 x 1572 page. The
typeface is a stand-in: Pillow's built-in sans serif, fitted into the real words' places.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from shared_preproc.grid import GRID, grid_dots
from shared_preproc.layout import Box, Layout
from shared_preproc.leads import Lead

__all__ = ["INK_RGB", "Header", "Rgb", "blank_form", "print_texts"]

Rgb = NDArray[np.uint8]
"""uint8 (height_px, width_px, 3), 0 to 255, sRGB."""

INK_RGB = (0, 0, 0)
_PAPER_RGB = (255, 255, 255)
# Colours fitted: compressed, the grid is within 0.3 and 0.01 gray levels of the medians of 25 real pages of each batch.
_FRAME_RGB = (255, 160, 160)
_DOT_RGB = (255, 21, 1)
_FRAME = Box(283, 1518, 68, 2177)  # its outer edge
_INSIDE = GRID.inside

_RULES = (slice(136, 140), slice(142, 146))
_RULE_COLUMNS = slice(68, 2154)


@dataclass(frozen=True)
class Header:
    """What the page says about the recording. Every name and number on a synthetic page is invented."""

    patient_id: str
    sex: str
    heart_rate_bpm: int
    recorded_at: datetime
    rhythm_lead: Lead = Lead.II


@lru_cache(maxsize=2)
def blank_form(layout: Layout) -> Rgb:
    """Paper with grid, frame and double rule; shared and read-only, so copy before drawing."""
    form = np.full((layout.height_px, layout.width_px, 3), _PAPER_RGB, np.uint8)
    form[_FRAME.top : _FRAME.bottom, _FRAME.left : _FRAME.right] = _FRAME_RGB
    form[_INSIDE.top : _INSIDE.bottom, _INSIDE.left : _INSIDE.right] = _PAPER_RGB
    form[grid_dots(layout)] = _DOT_RGB
    for rows in _RULES:
        form[rows, _RULE_COLUMNS] = INK_RGB
    form.flags.writeable = False
    return form


class _Word(NamedTuple):
    """A text and its place: the right edge sets its width."""

    text: str
    left_px: int
    right_px: int
    baseline_px: int
    capital_px: int
    """Height of a capital letter."""


_TITLE_PX, _TEXT_PX, _FOOTER_PX = 29, 18, 14
_FIRST_LINE_PX, _FOOTER_LINE_PX = 92, 1552
_FORM = (
    _Word("ECG", 995, 1080, 61, _TITLE_PX),
    _Word("REPORT", 1108, 1275, 61, _TITLE_PX),
    _Word("ID :", 70, 114, _FIRST_LINE_PX, _TEXT_PX),
    _Word("Years", 322, 384, _FIRST_LINE_PX, _TEXT_PX),
    _Word("cm", 618, 650, _FIRST_LINE_PX, _TEXT_PX),
    _Word("kg", 765, 790, _FIRST_LINE_PX, _TEXT_PX),
    _Word("/", 910, 916, _FIRST_LINE_PX, _TEXT_PX),
    _Word("mmHg", 958, 1035, _FIRST_LINE_PX, _TEXT_PX),
    _Word("Race:Unknown", 1095, 1274, _FIRST_LINE_PX, _TEXT_PX),
    _Word("Room No.:", 1334, 1461, _FIRST_LINE_PX, _TEXT_PX),
    _Word("Department:", 1525, 1664, _FIRST_LINE_PX, _TEXT_PX),
    _Word("Exam.Room:", 70, 219, 125, _TEXT_PX),
    _Word("Medication:", 279, 414, 125, _TEXT_PX),
    _Word("Diagnosis Information:", 70, 346, 169, _TEXT_PX),
    _Word("Technician :", 1557, 1705, 203, _TEXT_PX),
    _Word("Ref-Phys. :", 1557, 1699, 236, _TEXT_PX),
    _Word("Report Confirmed by:", 1557, 1831, 269, _TEXT_PX),
    _Word("0.67~25Hz", 69, 169, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("AC50", 186, 236, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("25mm/s", 251, 323, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("10mm/mV", 338, 435, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("4*2.5s+1r", 447, 538, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("SE-3", 610, 655, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("V1.0", 667, 706, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("SEMIP", 721, 782, _FOOTER_LINE_PX, _FOOTER_PX),
    _Word("V1.7", 794, 834, _FOOTER_LINE_PX, _FOOTER_PX),
)
_TEXT_ADVANCE_PX, _FOOTER_ADVANCE_PX = 13, 9  # of one character
_HEART_PX = np.array(
    ((557, 1552), (550, 1543), (551, 1540), (554, 1539), (557, 1542), (560, 1539), (563, 1540), (564, 1543))
)


@lru_cache(maxsize=256)
def _word_stamp(word: str, width_px: int, capital_px: int) -> tuple[NDArray[np.bool_], int]:
    """Ink of a word, bool (rows, width_px), and the row of its baseline; capitals are ``capital_px`` high."""
    font = ImageFont.load_default(100.0)
    _, top, _, bottom = font.getbbox("H", anchor="ls")
    left, word_top, right, word_bottom = font.getbbox(word, anchor="ls")
    canvas = Image.new("L", (int(right - left), int(word_bottom - word_top)), 0)
    ImageDraw.Draw(canvas).text((-left, -word_top), word, fill=255, font=font, anchor="ls")
    scale = capital_px / (bottom - top)
    size = (width_px, max(1, round(canvas.height * scale)))
    ink = np.asarray(canvas.resize(size, Image.Resampling.BOX)) > 110  # noqa: PLR2004 - thinner than half, as the page's
    return ink, round(-word_top * scale)


def print_texts(page: Rgb, header: Header) -> None:
    """Print title, header and footer on ``page``, in place."""
    for word in (*_FORM, *_entries(header)):
        ink, ascent_px = _word_stamp(word.text, word.right_px - word.left_px + 1, word.capital_px)
        rows, columns = np.nonzero(ink)
        page[rows + word.baseline_px - ascent_px, columns + word.left_px] = INK_RGB
    cv2.fillPoly(page, [_HEART_PX], INK_RGB)


def _entries(header: Header) -> tuple[_Word, ...]:
    identity, sex, rate = header.patient_id, header.sex, str(header.heart_rate_bpm)
    return (
        _Word(identity, 132, 132 + _TEXT_ADVANCE_PX * len(identity), _FIRST_LINE_PX, _TEXT_PX),
        _Word(sex, 447, 447 + _TEXT_ADVANCE_PX * len(sex), _FIRST_LINE_PX, _TEXT_PX),
        _Word(rate, 567, 567 + _FOOTER_ADVANCE_PX * len(rate), _FOOTER_LINE_PX, _FOOTER_PX),
        _Word(f"{header.recorded_at:%d-%m-%Y}", 1793, 1905, _FOOTER_LINE_PX, _FOOTER_PX),
        _Word(f"{header.recorded_at:%I:%M:%S %p}", 1932, 2044, _FOOTER_LINE_PX, _FOOTER_PX),
    )
