"""Lead names and the printed speed and gain, found on the flat page by two small networks.

The first says where a text may stand, for cells of 1 mm; the second reads what stands there. Both run in OpenCV.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.flat import PX_PER_MM, FlatPage

__all__ = ["CELL_PX", "CROP_PX", "NAMES", "SCALE_PX_PER_MM", "TOKENS", "Token", "crop", "find_tokens"]

NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
TOKENS = (*NAMES, "25mm/s", "50mm/s", "5mm/mV", "10mm/mV", "20mm/mV")
"""What the network tells apart; class 0 of its answer is nothing."""

SCALE_PX_PER_MM = 4.0
CELL_PX = 4
CROP_PX = (32, 112)
"""Rows and columns of what the second network reads."""

_FINDER, _READER = (Path(__file__).parent / name for name in ("name-finder.onnx", "name-reader.onnx"))
_LEAST = 0.15
_READ_MOST = 160
_LEAST_READ = 0.3


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
    answer = _run(_FINDER, np.asarray(small, np.float32)[np.newaxis, np.newaxis])[0]
    probability, box = answer[: len(TOKENS) + 1], answer[len(TOKENS) + 1 :]
    cell = CELL_PX * factor
    best = probability[1:].max(axis=0)
    peaks = (best > _LEAST) & (best >= cv2.dilate(best, np.ones((3, 3), np.uint8)))
    found = []
    for row, column in zip(*np.nonzero(peaks), strict=True):
        kind = int(probability[1:, row, column].argmax())
        at_x, at_y = (column + 0.5) * cell, (row + 0.5) * cell
        left, top, right, bottom = box[:, row, column] * cell
        found.append(
            Token(
                TOKENS[kind],
                float(best[row, column]),
                *map(float, (at_x + left, at_y + top, at_x + right, at_y + bottom)),
            )
        )
    found.sort(key=lambda token: -token.score)
    kept: list[Token] = []
    for token in _read_again(page.ink, found[:_READ_MOST]):
        if all(not _overlap(token, other) for other in kept):
            kept.append(token)
    return kept


def _read_again(ink: NDArray[np.float32], found: list[Token]) -> list[Token]:
    """What the second network reads at each place, best first; what it reads there is looked at from several crops."""
    first = [pair for pair in zip(found, _answers(ink, found), strict=True) if pair[1][1:].max() > _LEAST_READ]
    tokens = [token for token, _ in first]
    looks = [_answers(ink, [_shifted(token, *shift) for token in tokens]) for shift in _SHIFTS]
    read = []
    for place, (token, answer) in enumerate(first):
        mean = np.mean([answer, *(look[place] for look in looks)], axis=0)
        kind = int(mean[1:].argmax())
        if mean[1 + kind] > _LEAST_READ:
            read.append(Token(TOKENS[kind], float(mean[1 + kind]), token.left, token.top, token.right, token.bottom))
    return sorted(read, key=lambda token: -token.score)


_SHIFTS = ((0.0, 0.0, 1.12), (0.0, 0.0, 0.9), (0.1, 0.08, 1.0), (-0.1, -0.08, 1.0), (0.06, -0.06, 1.06))
"""Right, down and larger, in heights of the text."""


def _shifted(token: Token, right: float, down: float, larger: float) -> Token:
    height = token.bottom - token.top
    more = (larger - 1) * height / 2
    return replace(
        token,
        left=token.left + right * height,
        top=token.top + down * height - more,
        bottom=token.bottom + down * height + more,
    )


def _answers(ink: NDArray[np.float32], found: list[Token]) -> NDArray[np.float32]:
    """Probabilities of the second network, float32 (places, tokens + 1)."""
    if not found:
        return np.zeros((0, len(TOKENS) + 1), np.float32)
    crops = np.stack([crop(ink, token.left, token.top, token.bottom) for token in found])
    return _run(_READER, crops[:, np.newaxis]).reshape(len(found), -1)


def crop(ink: NDArray[np.float32], left: float, top: float, bottom: float) -> NDArray[np.float32]:
    """Cut a text and what follows it out of the ink, its height brought to 20 of 32 rows: float32 `CROP_PX`."""
    rows, columns = CROP_PX
    scale = _TEXT_PX / max(bottom - top, _LEAST_TEXT_PX)
    middle = (top + bottom) / 2
    matrix = np.array([[scale, 0, _INDENT_PX - left * scale], [0, scale, rows / 2 - middle * scale]])
    return np.asarray(cv2.warpAffine(ink, matrix, (columns, rows), flags=cv2.INTER_LINEAR), np.float32)


_TEXT_PX, _LEAST_TEXT_PX, _INDENT_PX = 20.0, 8.0, 8.0


def _overlap(one: Token, other: Token) -> bool:
    margin = PX_PER_MM
    return (
        one.left < other.right + margin
        and other.left < one.right + margin
        and one.top < other.bottom
        and other.top < one.bottom
    )


_LOCK = Lock()


@lru_cache(maxsize=2)
def _network(path: Path) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(path))


def _run(path: Path, ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Answer of a network for a batch, one call at a time."""
    with _LOCK:
        network = _network(path)
        network.setInput(np.ascontiguousarray(ink))
        return np.asarray(network.forward(), np.float32)
