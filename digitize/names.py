"""Lead names and the printed speed and gain, found on the flat page by a small network.

The network answers for cells of 1 mm. It runs in OpenCV.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.flat import PX_PER_MM, FlatPage

__all__ = ["CELL_PX", "NAMES", "SCALE_PX_PER_MM", "TOKENS", "Token", "find_tokens"]

NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
TOKENS = (*NAMES, "25mm/s", "50mm/s", "5mm/mV", "10mm/mV", "20mm/mV")
"""What the network tells apart; class 0 of its answer is nothing."""

SCALE_PX_PER_MM = 4.0
CELL_PX = 4
_MODEL = Path(__file__).parent / "names.onnx"
_LEAST = 0.3


@dataclass(frozen=True)
class Token:
    """A text found on the flat page.

    Attributes:
        text: one of `TOKENS`.
        score: probability, 0 to 1.
        left, top, right, bottom: its box in flat pixels; of a speed or gain, its number's.
    """

    text: str
    score: float
    left: float
    top: float
    right: float
    bottom: float

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
    factor = int(PX_PER_MM / SCALE_PX_PER_MM)
    rows, columns = (extent // factor // 16 * 16 for extent in page.ink.shape)
    small = cv2.resize(page.ink[: rows * factor, : columns * factor], (columns, rows), interpolation=cv2.INTER_AREA)
    answer = _run(small)
    probability, box = answer[: len(TOKENS) + 1], answer[len(TOKENS) + 1 :]
    cell = CELL_PX * factor
    best = probability[1:].max(axis=0)
    peaks = (best > _LEAST) & (best >= cv2.dilate(best, np.ones((3, 3), np.uint8)))
    found = []
    for row, column in zip(*np.nonzero(peaks), strict=True):
        kind = int(probability[1:, row, column].argmax())
        at_x, at_y = (column + 0.5) * cell, (row + 0.5) * cell
        left, top, right, bottom = box[:, row, column] * cell
        found.append(Token(TOKENS[kind], float(best[row, column]), *map(float, (at_x + left, at_y + top, at_x + right, at_y + bottom))))
    found.sort(key=lambda token: -token.score)
    kept: list[Token] = []
    for token in found:
        if all(not _overlap(token, other) for other in kept):
            kept.append(token)
    return kept


def _overlap(one: Token, other: Token) -> bool:
    margin = PX_PER_MM
    return (
        one.left < other.right + margin
        and other.left < one.right + margin
        and one.top < other.bottom
        and other.top < one.bottom
    )


_LOCK = Lock()


@lru_cache(maxsize=1)
def _network() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(_MODEL))


def _run(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Answer of the network, float32 (classes + 4, rows, columns); one page at a time."""
    with _LOCK:
        network = _network()
        network.setInput(np.ascontiguousarray(ink[np.newaxis, np.newaxis]))
        answer: NDArray[np.float32] = network.forward()[0]
    return answer
