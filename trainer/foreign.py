"""Pictures that are no report page, and report pages that were spoiled: what must never be classified in silence.

All are uint8 (layout.height_px, layout.width_px), 0 black to 255 white.
"""

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from matplotlib.figure import Figure

from shared_preproc.layout import EDAN_3X4_R1, Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.page import Gray
from synthetic.render import Header, Signals, render_page
from synthetic.stationery import blank_form

__all__ = ["Picture", "charts", "drawn_curves", "fitted", "noises", "photographs", "spoiled"]

Picture = tuple[str, Gray]
"""What was done, in a few words, and the picture."""

_WHITE, _GRAY, _BLACK = 255, 128, 0
_DPI = 100
_SHIFT_PX = 60
_HEADER = Header("0", "Male", 60, datetime(2001, 1, 1))  # noqa: DTZ001 - a printed clock has no zone


def photographs() -> Iterator[Picture]:
    """Photographs, drawings and textures that scikit-image brings along, in their own sizes."""
    for file in sorted(Path(skimage.data.__file__).parent.glob("*.*g")):
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if picture is not None:
            yield file.stem, picture.astype(np.uint8, copy=False)


def fitted(picture: Gray, layout: Layout = EDAN_3X4_R1) -> Iterator[Picture]:
    """A picture of any size brought to a page's: fitted with its aspect kept, padded, or stretched."""
    size = layout.width_px, layout.height_px
    scale = min(size[0] / picture.shape[1], size[1] / picture.shape[0])
    whole = _scaled(picture, scale)
    yield "fitted, white around", _pasted(whole, _WHITE, 0, layout)
    yield "fitted, black around", _pasted(whole, _BLACK, 0, layout)
    own_size = _scaled(picture, min(1.0, scale))
    yield "padded, in the corner", _pasted(own_size, _WHITE, 0, layout)
    yield "padded, in the middle", _pasted(own_size, _WHITE, 1 / 2, layout)
    yield "stretched", cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def noises(seed: int = 0, layout: Layout = EDAN_3X4_R1) -> Iterator[Picture]:
    """Blank pages and four kinds of noise."""
    rng, shape = np.random.default_rng(seed), (layout.height_px, layout.width_px)
    for name, level in (("white", _WHITE), ("gray", _GRAY), ("black", _BLACK)):
        yield name, np.full(shape, level, np.uint8)
    uniform = rng.integers(0, 256, shape, np.uint8)
    yield "uniform noise", uniform
    yield "binary noise", np.where(uniform < _GRAY, _BLACK, _WHITE).astype(np.uint8)
    yield "salt and pepper", np.select([uniform < 8, uniform > 247], [_BLACK, _WHITE], _GRAY).astype(np.uint8)  # noqa: PLR2004 - three in a hundred each
    yield "gaussian noise", np.clip(rng.normal(_GRAY, 40, shape), 0, 255).astype(np.uint8)


def charts(seed: int = 0, layout: Layout = EDAN_3X4_R1) -> Iterator[Picture]:
    """Charts of a page's size."""
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(3, 400)).cumsum(axis=1)
    for name, draw in (
        ("line chart", lambda figure: figure.subplots().plot(walk.T)),
        ("bar chart", lambda figure: figure.subplots().bar(range(12), rng.random(12))),
        ("scatter chart", lambda figure: figure.subplots().scatter(*rng.normal(size=(2, 500)))),
        ("13 sine charts", _thirteen_sines),
    ):
        yield name, _chart(draw, layout)


def _thirteen_sines(figure: Figure) -> None:
    grid = figure.add_gridspec(4, 4)
    places = [grid[row, column] for row in range(3) for column in range(4)] + [grid[3, :]]
    for number, place in enumerate(places, start=1):
        figure.add_subplot(place).plot(np.sin(np.linspace(0, 4 * number, 500)), "k")


def _chart(draw: Callable[[Figure], object], layout: Layout) -> Gray:
    figure = Figure((layout.width_px / _DPI, layout.height_px / _DPI), dpi=_DPI)
    draw(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    gray = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)
    return cv2.resize(np.asarray(gray, np.uint8), (layout.width_px, layout.height_px)).astype(np.uint8, copy=False)


def drawn_curves(seed: int = 0) -> Iterator[Picture]:
    """Pages whose form is right and whose twelve curves are no heart's."""
    rng, samples = np.random.default_rng(seed), 1000
    walk = rng.normal(size=(12, samples)).cumsum(axis=1)
    times_s = np.arange(samples) / 100
    waves = np.sin(2 * np.pi * (rng.uniform(0.5, 4, (12, 1)) * times_s + rng.random((12, 1))))
    for name, curves in (
        ("random walks", 0.4 * (walk - walk.mean(axis=1, keepdims=True)) / walk.std(axis=1, keepdims=True)),
        ("sines", 0.5 * waves),
        ("noise", rng.normal(0, 0.2, (12, samples))),
        ("one sine in all leads", 0.5 * np.tile(waves[0], (12, 1))),
        ("flat lines", np.zeros((12, samples))),
    ):
        page = render_page(Signals(curves, 100.0), _HEADER)
        yield name, cv2.cvtColor(page, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def spoiled(page: Gray, seed: int = 0, layout: Layout = EDAN_3X4_R1) -> Iterator[Picture]:
    """Everything that can happen to a report page after which its answer would be wrong."""
    yield from _turned(page)
    yield from _shifted(page)
    yield from _wiped(page, seed, layout)
    yield from _exchanged(page, layout)
    yield from _repeated(page, layout)


def _turned(page: Gray) -> Iterator[Picture]:
    yield "upside down", np.ascontiguousarray(np.rot90(page, 2))
    yield "mirrored left to right", np.ascontiguousarray(np.fliplr(page))
    yield "mirrored top to bottom", np.ascontiguousarray(np.flipud(page))
    yield "inverted gray", _WHITE - page


def _shifted(page: Gray) -> Iterator[Picture]:
    for where, axis, by_px in (("down", 0, 1), ("up", 0, -1), ("right", 1, 1), ("left", 1, -1)):
        rolled = np.roll(page, by_px * _SHIFT_PX, axis)
        yield f"shifted {where}, rolled", rolled
        white, came_in = rolled.copy(), slice(_SHIFT_PX) if by_px > 0 else slice(-_SHIFT_PX, None)
        white[(came_in, slice(None)) if axis == 0 else (slice(None), came_in)] = _WHITE
        yield f"shifted {where}, white", white


def _wiped(page: Gray, seed: int, layout: Layout) -> Iterator[Picture]:
    """One row of leads, and one lead, covered with white, with the grid's mean gray, and with empty grid."""
    boxes, rng = dict(layout.lead_boxes), np.random.default_rng(seed)
    grid = cv2.cvtColor(blank_form(layout), cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    covers = (("white", np.full_like(page, _WHITE)), ("gray", np.full_like(page, 245)), ("grid", grid))
    for row, lead in enumerate((Lead.I, Lead.II, Lead.III, Lead.RHYTHM_STRIP), start=1):
        for name, cover in covers:
            yield f"row {row} wiped, {name}", _covered(page, cover, boxes[lead]._replace(left=72, right=2172))
    lead = rng.choice(np.array(layout.leads))
    for name, cover in covers:
        yield f"one lead wiped, {name}", _covered(page, cover, boxes[Lead(lead)])


def _covered(page: Gray, cover: Gray, box: Box) -> Gray:
    covered = page.copy()
    covered[box.top : box.bottom, box.left : box.right] = cover[box.top : box.bottom, box.left : box.right]
    return covered


def _exchanged(page: Gray, layout: Layout) -> Iterator[Picture]:
    """Two boxes exchanged, with the names printed in them and without."""
    boxes = dict(layout.lead_boxes)
    for one, other in (
        (Lead.I, Lead.II),
        (Lead.I, Lead.III),
        (Lead.II, Lead.III),
        (Lead.AVR, Lead.AVL),
        (Lead.AVR, Lead.AVF),
        (Lead.I, Lead.AVR),
        (Lead.II, Lead.V5),
        (Lead.V1, Lead.V2),
        (Lead.V1, Lead.V6),
    ):
        yield f"{one} and {other} exchanged", _exchange(page, boxes[one], boxes[other])


def _exchange(page: Gray, one: Box, other: Box) -> Gray:
    width_px, exchanged = min(one.width_px, other.width_px), page.copy()
    here, there = ((slice(box.top, box.bottom), slice(box.left, box.left + width_px)) for box in (one, other))
    exchanged[here], exchanged[there] = page[there], page[here]
    return exchanged


_BEAT_PX = 150
_NAME_PX = 52


def _repeated(page: Gray, layout: Layout) -> Iterator[Picture]:
    """One beat of each lead all along its box, one lead's along all boxes, and one pasted once into each box."""
    own, foreign, once = page.copy(), page.copy(), page.copy()
    beat = _beat(page, dict(layout.lead_boxes)[Lead.RHYTHM_STRIP])
    for _, box in layout.lead_boxes:
        top, bottom = box.bottom - 230, box.bottom  # the strip's height, which fits every box
        left = box.left + _NAME_PX
        columns = np.arange(box.right - left) % _BEAT_PX
        own[box.top : box.bottom, left : box.right] = _beat(page, box)[:, columns]
        foreign[top:bottom, left : box.right] = beat[:, columns]
        once[top:bottom, left + 60 : left + 60 + _BEAT_PX] = beat
    yield "each lead's own beat repeated", own
    yield "one lead's beat repeated in all", foreign
    yield "one lead's beat pasted into all", once


def _beat(page: Gray, box: Box) -> Gray:
    """The stretch of a box around its steepest column."""
    ink = (page[box.top : box.bottom, box.left + _NAME_PX : box.right] < 100).sum(axis=0)  # noqa: PLR2004 - no grid dot
    middle = int(ink[_BEAT_PX // 2 : -_BEAT_PX // 2].argmax()) + _BEAT_PX // 2
    left = box.left + _NAME_PX + middle - _BEAT_PX // 2
    return page[box.top : box.bottom, left : left + _BEAT_PX]


def _scaled(picture: Gray, scale: float) -> Gray:
    size = max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _pasted(picture: Gray, level: int, place: float, layout: Layout) -> Gray:
    """A picture on a page of one gray level; ``place`` 0 is its top left corner, 1/2 its middle."""
    page = np.full((layout.height_px, layout.width_px), level, np.uint8)
    top, left = (int(place * (all_px - own_px)) for all_px, own_px in zip(page.shape, picture.shape, strict=True))
    page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return page
