"""Every number the weights depend on, in one frozen value with a fingerprint. Knows no image and no setting."""

import hashlib
import json
from dataclasses import asdict, dataclass

from shared_preproc.layout import EDAN_3X4_R1, Layout

__all__ = ["MASKS_150", "PreprocSpec"]


@dataclass(frozen=True)
class PreprocSpec:
    """How a page becomes model input. Stored with the weights, and read back from there to serve them."""

    layout: Layout
    revision: int
    """Raised when the code changes what it computes although no number below did."""
    gaussian_sigma_px: float
    gaussian_radius_px: int
    """Half width of the smoothing kernel; 4 sigma, where scikit-image cuts it off."""
    tensor_height_px: int
    tensor_width_px: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical JSON form: differs as soon as any number does."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


MASKS_150 = PreprocSpec(
    layout=EDAN_3X4_R1,
    revision=1,
    gaussian_sigma_px=1.0,
    gaussian_radius_px=4,
    tensor_height_px=150,
    tensor_width_px=150,
)
"""The published method: sigma 1, global Otsu, 150 x 150 binary lead images."""
