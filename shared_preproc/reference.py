"""The published method in plain scikit-image: what the fast road is held against. Slow, float64, for training and tests.

Needs scikit-image, which the service does not install; nothing else in this package imports this module.
"""

import io

import numpy as np
from skimage.color import rgb2gray
from skimage.filters import gaussian, threshold_otsu
from skimage.io import imread

from shared_preproc.layout import Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import INK, Mask

__all__ = ["reference_masks"]


def reference_masks(data: bytes, layout: Layout) -> dict[Lead, Mask]:
    """Masks of an RGB page by the method's own steps: gray, crop, gaussian (sigma 1), Otsu, darker than.

    One uint8 mask (box height, box width) for each lead in page order, 0 and 255.
    """
    gray = rgb2gray(imread(io.BytesIO(data)))
    masks: dict[Lead, Mask] = {}
    for lead, box in layout.lead_boxes:
        smooth = gaussian(gray[box.top : box.bottom, box.left : box.right], sigma=1)
        masks[lead] = np.where(smooth < threshold_otsu(smooth), INK, 0).astype(np.uint8)
    return masks
