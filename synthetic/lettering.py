"""The serif letters of the lead names, as strokes of a pen.

Drawn for this project after the shape of a roman typeface, so that nothing depends on installed fonts.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Nib", "Stroke", "lead_name_strokes"]

Nib = NDArray[np.uint8]
"""uint8 (rows, columns) of ones: what one touch of the pen blackens."""

Stroke = tuple[Nib, tuple[tuple[int, int], ...]]
"""Nib, and the points it passes: x right of the name's left edge, y up from its baseline, in pixels."""

_NIBS: dict[str, Nib] = {"hair": np.ones((1, 2), np.uint8), "stem": np.ones((2, 3), np.uint8)}

# Width of the letter, then its strokes; capitals and figures are 19 px high, as the real names.
_LETTERS = {
    "I": (8, "stem 4,0 4,18; hair 1,0 7,0; hair 1,18 7,18"),
    "V": (17, "stem 3,18 9,0; hair 10,0 16,18; hair 0,18 6,18; hair 13,18 18,18"),
    "R": (18, "stem 3,0 3,18; hair 0,0 6,0; hair 0,18 10,18 13,16 13,12 10,9 3,9; stem 9,9 15,1; hair 15,0 18,0"),
    "L": (15, "stem 3,0 3,18; hair 0,18 6,18; hair 0,0 13,0 14,5"),
    "F": (14, "stem 3,0 3,18; hair 0,0 6,0; hair 0,18 12,18 12,14; hair 3,9 9,9"),
    "a": (15, "hair 1,9 3,12 6,12 8,9; stem 8,9 8,1; hair 8,7 2,4 1,2 3,0 5,0 8,3; hair 9,0 10,1"),
    "1": (8, "stem 5,0 5,18; hair 3,16 5,18; hair 3,0 8,0"),
    "2": (11, "hair 1,14 3,18 6,18; stem 7,17 8,14 6,8; hair 6,8 0,0; stem 1,1 9,1"),
    "3": (11, "hair 1,15 3,18 6,18 8,15 7,12 4,10; stem 6,9 8,6 7,2; hair 7,2 5,0 1,0"),
    "4": (11, "stem 7,0 7,18; hair 7,18 0,5 10,5"),
    "5": (11, "stem 3,17 9,17; hair 3,17 1,11 5,10; stem 6,10 8,6 7,2; hair 7,2 4,0 0,0"),
    "6": (11, "hair 9,18 5,16 2,10; stem 2,10 1,6 3,1; hair 3,0 6,0 8,3; stem 8,4 7,9; hair 7,10 4,11 2,9"),
}


@lru_cache(maxsize=16)
def lead_name_strokes(name: str) -> tuple[Stroke, ...]:
    """Strokes that write ``name``, letter after letter.

    Raises:
        KeyError: a letter that no lead's name has.
    """
    strokes: list[Stroke] = []
    left_px = 0
    for letter in name:
        width_px, drawing = _LETTERS[letter]
        strokes += [_shifted(stroke.split(), left_px) for stroke in drawing.split(";")]
        left_px += width_px
    return tuple(strokes)


def _shifted(words: list[str], left_px: int) -> Stroke:
    nib, *points = words
    pairs = (point.split(",") for point in points)
    return _NIBS[nib], tuple((left_px + int(x), int(y)) for x, y in pairs)
