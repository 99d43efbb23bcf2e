"""A lead crop to its binary mask: smoothing, Otsu's threshold, ink against paper. Knows no lead and no model.

The fast road of the method, in 8 bits throughout. `shared_preproc.reference` is the same in plain scikit-image; the
two differ in a few of 100,000 pixels.
"""

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


def binarize(crop: Gray, spec: PreprocSpec) -> Mask:
    """Mark what is darker than the crop's own threshold (Otsu 1979, over the 256 gray levels after smoothing).

    ``crop`` is uint8 (rows, columns), 0 black to 255 white; so is the mask, with values 0 and `INK`. A crop of one
    single level has nothing darker than its threshold: its mask is empty.
    """
    side_px = 2 * spec.gaussian_radius_px + 1
    smooth = cv2.GaussianBlur(crop, (side_px, side_px), spec.gaussian_sigma_px, borderType=_BORDER)
    if not smooth.any():  # all black: OpenCV would put the threshold at 0 and call everything ink
        return np.zeros_like(crop)
    _, mask = cv2.threshold(smooth, 0, INK, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    return mask.astype(np.uint8, copy=False)
