"""Words of print by their letters, which are small pieces of ink side by side: where they start, and end."""

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.flat import PX_PER_MM

__all__ = ["find_words", "stands_alone"]

_INKED = 0.35  # of a letter
_HEIGHT_MM, _WIDTH_MM = (1.0, 4.5), (0.15, 5.0)  # of a letter
_GAP, _REACH, _LINE = 0.35, 3.0, 0.4  # heights of a letter: between words, to the letters that follow, and off a line
_FEWEST = 2  # letters that follow
_LETTER, _DOT = (0.55, 1.35), (0.1, 0.4)  # heights of the text: of a letter, a slash too, and of a decimal point
_NAME_LETTERS, _NAME = 2, 2.15  # of a chest lead's name, and heights that they take
_AROUND = (1.5, 4.0, 0.35)  # heights of the text that are looked at: before its left, behind it, above and below
_MOST = 2000  # letters, from the top of the page: each is compared with all


def find_words(ink: NDArray[np.float32]) -> list[tuple[float, float, float]]:
    """Left, top and bottom of the first letter of each word, in pixels of the flat page."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((ink > _INKED).astype(np.uint8), connectivity=8)
    if count < 2:  # noqa: PLR2004 - the paper alone
        return []
    left, top, width, height = (stats[1:, column].astype(np.float64) for column in range(4))
    letter = (height >= _HEIGHT_MM[0] * PX_PER_MM) & (height <= _HEIGHT_MM[1] * PX_PER_MM)
    letter &= (width >= _WIDTH_MM[0] * PX_PER_MM) & (width <= _WIDTH_MM[1] * PX_PER_MM)
    left, top, width, height = (side[np.flatnonzero(letter)[:_MOST]] for side in (left, top, width, height))
    middle, one, other = top + height / 2, np.s_[:, np.newaxis], np.s_[np.newaxis]
    line = np.abs(middle[one] - middle[other]) < _LINE * height[one]
    before = line & (left[other] < left[one]) & ((left + width)[other] > left[one] - _GAP * height[one] - 1)
    after = line & (left[other] > left[one]) & (left[other] < left[one] + _REACH * height[one])
    starts = np.flatnonzero(~before.any(axis=1) & (after.sum(axis=1) >= _FEWEST))
    return [(float(left[at]), float(top[at]), float(top[at] + height[at])) for at in starts]


def stands_alone(ink: NDArray[np.float32], left: float, top: float, bottom: float, *, number: bool) -> bool:
    """Whether a chest lead's name is no part of a longer one, as V3R, or a number no tail of another, as 12.5.

    Args:
        ink: float32 (rows, columns).
        left: of the text, in pixels of the ink.
        top: of the text.
        bottom: of the text.
        number: whether it is a number; what follows is then its unit.
    """
    letters, dots = _beside(ink, left, top, bottom)
    gap, touching = _GAP * (bottom - top), 0.1 * (bottom - top)
    if number:
        starts = [0.0, *(dot[0] for dot in dots if -touching <= -dot[1] <= gap)]
        return not any(-touching <= start - letter[1] <= gap for start in starts for letter in letters)
    word = [letter for letter in letters if letter[0] <= (bottom - top) / 2 and letter[1] > 0]
    for _ in letters:
        word = [
            each for each in letters if any(each[0] - end <= gap and start - each[1] <= gap for start, end, _ in word)
        ]
    if len(word) <= _NAME_LETTERS:
        return True
    length = max(end for _, end, _ in word) - min(start for start, _, _ in word)
    return length <= _NAME * float(np.median([tall for _, _, tall in word]))


_Piece = tuple[float, float, float]


def _beside(ink: NDArray[np.float32], left: float, top: float, bottom: float) -> tuple[list[_Piece], list[_Piece]]:
    """Letters and decimal points in the line of a text: start and end, in pixels from the text's left, and height."""
    height = bottom - top
    before, behind, beside = (round(heights * height) for heights in _AROUND)
    first, row = max(0, int(left) - before), max(0, int(top) - beside)
    patch = (ink[row : int(bottom) + beside, first : int(left) + behind] > _INKED).astype(np.uint8)
    if not patch.any():
        return [], []
    _, _, stats, _ = cv2.connectedComponentsWithStats(patch, connectivity=8)
    letters, dots = [], []
    for at, upper, width, tall, _ in stats[1:].tolist():
        piece = at + first - left, at + width + first - left, float(tall)
        if upper > 0 and upper + tall < len(patch) and _LETTER[0] <= tall / height <= _LETTER[1]:
            letters.append(piece)
        elif _DOT[0] <= tall / height <= _DOT[1] and upper + tall / 2 > len(patch) / 2:
            dots.append(piece)
    return letters, dots
