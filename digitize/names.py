"""Lead names and the printed speed and gain, found on the flat page by two small networks.

The first says where a text may stand, for cells of 1 mm; the second reads what stands there. Both run in OpenCV.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.flat import PX_PER_MM, FlatPage
from digitize.networks import FINDER, READER, crop, run
from digitize.words import find_words, stands_alone

__all__ = [
    "CELL_PX",
    "NAMES",
    "SCALE_PX_PER_MM",
    "TOKENS",
    "Token",
    "find_clearest",
    "find_small",
    "find_tokens",
    "judged",
    "read_places",
]

NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
TOKENS = (*NAMES, "25mm/s", "50mm/s", "5mm/mV", "10mm/mV", "20mm/mV")
"""What the network tells apart; class 0 of its answer is nothing."""

SCALE_PX_PER_MM = 4.0
CELL_PX = 4

_LEAST = 0.15
_READ_MOST, _CLEAREST = 160, 48
_LEAST_READ = 0.3
_NOTHING = 0.9  # of a glance after which the box is not moved back
_SMALL_PX_PER_MM = 6.0  # at which print of 1.2 mm looks as 1.8 mm does
_BAND_PX, _OVERLAP_PX = 2_300_000, 128  # that the first network sees at once; rows beside a band, more than it looks at
_INKED, _LETTER_GAP = 0.35, 0.3  # ink of a letter; heights of the text between letters of a word
_IN_PLACE = 0.08  # heights of the text by which a box may be off
_SQUEEZE = 0.7
_NAME_REACH, _SCALE_REACH = 0.8, 3.2  # heights of the text by which a box may start too far right
_PAIRED = 0.75
_PAIR_HEIGHTS, _IN_LINE = 16.0, 0.04  # heights of the text from speed to gain; share of that by which lines may tilt
_NEAR_MM = tuple((right, down) for right in (-1.0, 0.0, 1.0) for down in (-0.6, 0.0, 0.6))


@dataclass(frozen=True)
class Token:
    """A text found on the flat page.

    Attributes:
        text: one of `TOKENS`.
        score: probability, 0 to 1.
        left, top, right, bottom: its box in flat pixels; of a speed or gain, its number's.
        whole: whether it is no part of a longer text, as V3 of V3R, or 25 of 125.
    """

    text: str
    score: float
    left: float
    top: float
    right: float
    bottom: float
    whole: bool = True

    @property
    def x(self) -> float:
        """Middle, across."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        """Middle, down."""
        return (self.top + self.bottom) / 2


def find_tokens(page: FlatPage) -> list[Token]:
    """Find lead names, speed and gain, best first; where two overlap, the better one is kept."""
    return _apart(_find(page.ink, SCALE_PX_PER_MM) + _read_scale(page.ink))


def find_clearest(page: FlatPage) -> list[Token]:
    """Find what looks most like names: enough to tell which way up a page stands."""
    return _apart(_find(page.ink, SCALE_PX_PER_MM, _CLEAREST))


def find_small(page: FlatPage, known: list[Token]) -> list[Token]:
    """Find small print also, and put it among the texts that are known, which takes twice as long as to find those."""
    return _apart(known + _find(page.ink, _SMALL_PX_PER_MM))


def judged(page: FlatPage, tokens: list[Token]) -> list[Token]:
    """Tokens with `Token.whole` found out for chest leads, speeds and gains."""
    return [
        replace(token, whole=stands_alone(page.ink, token.left, token.top, token.bottom, number="mm/" in token.text))
        if "mm/" in token.text or token.text.startswith("V")
        else token
        for token in tokens
    ]


def read_places(page: FlatPage, places: list[tuple[float, float]], height: float) -> list[Token]:
    """Read the names at places where the layout leads one to expect them, whatever stands there.

    Args:
        page: the flat page.
        places: left edges and middles of the names, flat pixels.
        height: of a name, flat pixels.
    """
    corners = [
        (left + right * PX_PER_MM, y + down * PX_PER_MM - height / 2) for left, y in places for right, down in _NEAR_MM
    ]
    boxes = [Token("", 0.0, left, top, left + height, top + height) for left, top in corners]
    boxes = [_at_ink(page.ink, box, _NAME_REACH) or box for box in boxes]
    best = (
        _answers(page.ink, [_Try(box) for box in boxes])[:, 1 : len(NAMES) + 1]
        .max(axis=1)
        .reshape(len(places), -1)
        .argmax(axis=1)
    )
    chosen = [boxes[place * len(_NEAR_MM) + int(near)] for place, near in enumerate(best)]
    return _apart([token for token in _read_again(page.ink, chosen) if token.text in NAMES])


def _find(ink: NDArray[np.float32], px_per_mm: float, most: int = _READ_MOST) -> list[Token]:
    """What is read where the first network sees a text."""
    factor = px_per_mm / PX_PER_MM
    rows, columns = (int(extent * factor) // 16 * 16 for extent in ink.shape)
    part = ink[: round(rows / factor), : round(columns / factor)]
    scaled = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    answer = _found_in_bands(np.asarray(scaled, np.float32))
    probability, box = answer[: len(TOKENS) + 1], answer[len(TOKENS) + 1 :]
    cell = CELL_PX / factor
    best = probability[1:].max(axis=0)
    peaks = (best > _LEAST) & (best >= cv2.dilate(best, np.ones((3, 3), np.uint8)))
    found = []
    for row, column in zip(*np.nonzero(peaks), strict=True):
        kind = int(probability[1:, row, column].argmax())
        at_x, at_y = (column + 0.5) * cell, (row + 0.5) * cell
        left, top, right, bottom = box[:, row, column] * cell
        left, top, right, bottom = (float(side) for side in (at_x + left, at_y + top, at_x + right, at_y + bottom))
        found.append(Token(TOKENS[kind], float(best[row, column]), left, top, right, bottom))
    return _read_again(ink, sorted(found, key=lambda token: -token.score)[:most])


def _found_in_bands(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Answer of the first network; of a large page, band by band, because memory grows with what it sees at once."""
    rows = len(ink)
    band = max(_BAND_PX // ink.shape[1] // 16, 8) * 16
    parts = []
    for first in range(0, rows, band):
        above, below = min(first, _OVERLAP_PX), min(rows - first, band + _OVERLAP_PX)
        answer = run(FINDER, ink[np.newaxis, np.newaxis, first - above : first + below])[0]
        parts.append(answer[:, above // CELL_PX : (above + min(band, rows - first)) // CELL_PX])
    return np.concatenate(parts, axis=1)


def _read_scale(ink: NDArray[np.float32]) -> list[Token]:
    """Speed and gain side by side, read where words start; a word of the header alone may look like one."""
    words = [
        Token("25mm/s", 0.0, left, top, left + 2 * (bottom - top), bottom) for left, top, bottom in find_words(ink)
    ]
    again = _read_again(ink, words[:_READ_MOST], scale_only=True)
    read = [token for token in again if "mm/" in token.text and token.score > _PAIRED]

    def paired(one: Token, other: Token) -> bool:
        reach = _PAIR_HEIGHTS * (one.bottom - one.top)
        alike = one.text.endswith("s") == other.text.endswith("s")
        return not alike and abs(one.y - other.y) < _IN_LINE * reach and abs(one.left - other.left) < reach

    return [token for token in read if any(paired(token, other) for other in read)]


def _apart(tokens: list[Token]) -> list[Token]:
    """Tokens, best first; of those that overlap, the best one."""
    kept: list[Token] = []
    for token in sorted(tokens, key=lambda token: -token.score):
        if all(not _overlap(token, other) for other in kept):
            kept.append(token)
    return kept


class _Try(NamedTuple):
    """A place to read at, and how much narrower its print is made."""

    token: Token
    squeeze: float = 1.0


def _read_again(ink: NDArray[np.float32], found: list[Token], *, scale_only: bool = False) -> list[Token]:
    """What the second network reads at each place.

    A box is moved to where the ink of its word starts, and also tried where it stands unless nothing is at the ink. A
    speed or gain is also tried narrower, because its unit must fit into the crop. What is read at a glance is looked at
    from several crops.
    """
    tries, unmoved = [], []
    for place, token in enumerate(found):
        scale = "mm/" in token.text
        moved = _at_ink(ink, token, _SCALE_REACH if scale else _NAME_REACH)
        for squeeze in (1.0, _SQUEEZE) if scale else (1.0,):
            tries.append((place, _Try(moved or token, squeeze)))
            unmoved.append((place, _Try(token, squeeze)) if moved else None)
    glances = _answers(ink, [each for _, each in tries])
    again = [other for other, glance in zip(unmoved, glances, strict=True) if other and glance[0] < _NOTHING]
    tries += again
    glances = np.concatenate([glances, _answers(ink, [each for _, each in again])])
    best: dict[tuple[int, int], tuple[_Try, NDArray[np.float32]]] = {}
    for (place, each), glance in zip(tries, glances, strict=True):
        kind = 1 + int(glance[1:].argmax())
        if glance[kind] <= _LEAST_READ or (scale_only and kind <= len(NAMES)):
            continue
        if (place, kind) not in best or glance[kind] > best[place, kind][1][kind]:
            best[place, kind] = each, glance
    looks = [_answers(ink, [_shifted(each, *shift) for each, _ in best.values()]) for shift in _SHIFTS]
    read = []
    for place, (each, glance) in enumerate(best.values()):
        mean = np.mean([glance, *(look[place] for look in looks)], axis=0)
        kind = int(mean[1:].argmax())
        if mean[1 + kind] > _LEAST_READ:
            read.append(replace(each.token, text=TOKENS[kind], score=float(mean[1 + kind])))
    return read


_SHIFTS = ((0.0, 0.0, 1.12), (0.0, 0.0, 0.9), (0.1, 0.08, 1.0), (-0.1, -0.08, 1.0), (0.06, -0.06, 1.06))
"""Right, down and larger, in heights of the text."""


def _at_ink(ink: NDArray[np.float32], token: Token, reach: float) -> Token | None:
    """The box moved to where its word starts; ``None`` if it stands there, or ink goes on for ``reach`` heights."""
    height = token.bottom - token.top
    first, end = max(0, int(token.left - reach * height)), int(token.left + height)
    band = ink[max(0, int(token.top)) : max(0, int(token.bottom)), first:end]
    if not band.size:
        return None
    inked = np.flatnonzero(band.max(axis=0) > _INKED)
    if not len(inked):
        return None
    words = np.split(inked, np.flatnonzero(np.diff(inked) > _LETTER_GAP * height) + 1)
    inside = token.left - first + 0.3 * height
    word = next((each for each in words if each[-1] >= inside), words[-1])
    if word[0] == 0 and first > 0:
        return None
    moved = first + float(word[0]) - token.left
    if abs(moved) < _IN_PLACE * height:
        return None
    return replace(token, left=token.left + moved, right=max(token.right, token.left + moved + 1))


def _shifted(each: _Try, right: float, down: float, larger: float) -> _Try:
    token = each.token
    height = token.bottom - token.top
    more = (larger - 1) * height / 2
    box = replace(
        token,
        left=token.left + right * height,
        top=token.top + down * height - more,
        bottom=token.bottom + down * height + more,
    )
    return _Try(box, each.squeeze)


def _answers(ink: NDArray[np.float32], tries: list[_Try]) -> NDArray[np.float32]:
    """Probabilities of the second network, float32 (places, tokens + 1)."""
    if not tries:
        return np.zeros((0, len(TOKENS) + 1), np.float32)
    crops = np.stack([crop(ink, token.left, token.top, token.bottom, squeeze) for token, squeeze in tries])
    return run(READER, crops[:, np.newaxis]).reshape(len(tries), -1)


def _overlap(one: Token, other: Token) -> bool:
    margin = PX_PER_MM
    return (
        one.left < other.right + margin
        and other.left < one.right + margin
        and one.top < other.bottom
        and other.top < one.bottom
    )
