"""A lead crop to its binary mask: smoothing, Otsu's threshold, ink against paper. Knows no lead and no model.

The fast road of the method, in 8 bits throughout. `shared_preproc.reference` is the same in plain scikit-image; the
two differ in a few of 100,000 pixels.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.page import Gray
from shared_preproc.spec import PreprocSpec

__all__ = ["INK", "Mask", "binarize"]

Mask = NDArray[np.uint8]
"""uint8, as the crop: `INK` where something is drawn, 0 where there is paper."""

INK = 255

# Isolated: a crop is a view of the page, and without this flag OpenCV would smooth across the box's edge.
_BORDER = cv2.BORDER_REPLICATE | cv2.BORDER_ISOLATED
_UNIT = 1 / 256  # of the weights in OpenCV's 8-bit smoothing


def binarize(crops: Sequence[Gray], spec: PreprocSpec) -> list[Mask]:
    """Mark what is darker than each crop's own threshold (Otsu 1979, over the 256 gray levels after smoothing).

    ``crops`` are uint8 (rows, columns), 0 black to 255 white, all of the same height; so are the masks, with values 0
    and `INK`. A crop of one single level has nothing darker than its threshold: its mask is empty.
    """
    return [_darker(smooth) for smooth in _smoothed(crops, spec)]


def _smoothed(crops: Sequence[Gray], spec: PreprocSpec) -> Iterator[Gray]:
    """Smooth each crop for itself, all in one go: side by side, with room between them that holds their edges."""
    reach_px = _reach_px(spec.gaussian_sigma_px, spec.gaussian_radius_px)
    ends = list(accumulate((crop.shape[1] + 2 * reach_px for crop in crops), initial=0))
    held = np.empty((len(crops[0]), ends[-1]), np.uint8)
    for crop, (start, end) in zip(crops, pairwise(ends), strict=True):
        cv2.copyMakeBorder(crop, 0, 0, reach_px, reach_px, _BORDER, dst=held[:, start:end])
    side = (2 * reach_px + 1, 2 * reach_px + 1)
    smooth = cv2.GaussianBlur(held, side, spec.gaussian_sigma_px, borderType=cv2.BORDER_REPLICATE)
    for start, end in pairwise(ends):
        yield smooth[:, start + reach_px : end - reach_px].astype(np.uint8, copy=False)


@cache
def _reach_px(sigma_px: float, radius_px: int) -> int:
    """How far smoothing reaches: weights further out than this are 0 once they are rounded to 8 bits."""
    weights = cv2.getGaussianKernel(2 * radius_px + 1, sigma_px)[radius_px:]
    return int((weights >= _UNIT / 2).sum()) - 1


def _darker(smooth: Gray) -> Mask:
    threshold, mask = cv2.threshold(smooth, 0, INK, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    if threshold == 0 and not smooth.any():  # all black: OpenCV calls everything ink
        return np.zeros_like(smooth)
    return mask.astype(np.uint8, copy=False)
