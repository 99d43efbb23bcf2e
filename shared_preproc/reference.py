"""The published method in plain scikit-image: what the fast road is held against. Slow, in float64.

Needs scikit-image, which the service does not install; nothing that serves imports this module.
"""

import io

import numpy as np
from PIL import Image, ImageOps
from skimage.color import rgb2gray
from skimage.filters import gaussian, threshold_otsu

from shared_preproc.layout import Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import INK, Mask
from shared_preproc.picture import on_white

__all__ = ["reference_masks"]


def reference_masks(data: bytes, layout: Layout) -> dict[Lead, Mask]:
    """Masks of a page by the method's own steps: gray, crop, gaussian (sigma 1), Otsu, darker than.

    One uint8 mask (box height, box width) for each lead in page order, 0 and 255.
    """
    with Image.open(io.BytesIO(data)) as image:
        gray = rgb2gray(np.asarray(on_white(ImageOps.exif_transpose(image)).convert("RGB")))
    masks: dict[Lead, Mask] = {}
    for lead, box in layout.lead_boxes:
        smooth = gaussian(gray[box.top : box.bottom, box.left : box.right], sigma=1)
        masks[lead] = np.where(smooth < threshold_otsu(smooth), INK, 0).astype(np.uint8)
    return masks
