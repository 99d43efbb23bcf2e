"""The two networks that find and read names, in OpenCV."""

from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CROP_PX", "FINDER", "READER", "crop", "run"]

FINDER, READER = (Path(__file__).parent / name for name in ("name-finder.onnx", "name-reader.onnx"))
CROP_PX = (32, 112)
"""Rows and columns of what the second network reads."""

_TEXT_PX, _LEAST_TEXT_PX, _INDENT_PX = 20.0, 8.0, 8.0


def crop(ink: NDArray[np.float32], left: float, top: float, bottom: float, squeeze: float = 1.0) -> NDArray[np.float32]:
    """Cut a text and what follows it out of the ink, its height brought to 20 of 32 rows: float32 `CROP_PX`.

    Args:
        ink: float32 (rows, columns).
        left: of the text, in pixels of the ink.
        top: of the text.
        bottom: of the text.
        squeeze: factor of its width.
    """
    rows, columns = CROP_PX
    scale = _TEXT_PX / max(bottom - top, _LEAST_TEXT_PX)
    middle = (top + bottom) / 2
    across = scale * squeeze
    matrix = np.array([[across, 0, _INDENT_PX - left * across], [0, scale, rows / 2 - middle * scale]])
    return np.asarray(cv2.warpAffine(ink, matrix, (columns, rows), flags=cv2.INTER_LINEAR), np.float32)


_LOCK = Lock()


@lru_cache(maxsize=2)
def _network(path: Path) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(path))


def run(path: Path, ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Answer of a network for a batch, one call at a time."""
    with _LOCK:
        network = _network(path)
        network.setInput(np.ascontiguousarray(ink))
        return np.asarray(network.forward(), np.float32)
