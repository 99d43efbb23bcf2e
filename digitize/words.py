"""Where words of print start, by their letters: small pieces of ink side by side."""

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.flat import PX_PER_MM

__all__ = ["find_words"]

_INKED = 0.35  # of a letter
_HEIGHT_MM, _WIDTH_MM = (1.0, 4.5), (0.15, 5.0)  # of a letter
_GAP, _REACH, _LINE = 0.35, 3.0, 0.4  # heights of a letter: between words, to the letters that follow, and off a line
_FEWEST = 2  # letters that follow
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
