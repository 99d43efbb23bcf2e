"""Every number the weights depend on, in one frozen value with a fingerprint. Knows no image and no setting."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shared_preproc.layout import EDAN_3X4_R1, Box, Layout
from shared_preproc.leads import Lead

__all__ = ["MASKS_150", "PreprocSpec"]


@dataclass(frozen=True)
class PreprocSpec:
    """How a page becomes model input. Training stores it with the weights; serving rebuilds it from there."""

    layout: Layout
    revision: int
    """Raised when the code changes what it computes although no number below did."""
    gaussian_sigma_px: float
    gaussian_radius_px: int
    """Half width of the smoothing kernel; 4 sigma, where scikit-image cuts it off."""
    tensor_height_px: int
    tensor_width_px: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, from which `from_dict` rebuilds an equal spec."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "PreprocSpec":
        """Rebuild a spec from `to_dict`.

        Raises
        ------
        ValueError
            A field is missing, unknown or of the wrong kind.
        """
        try:
            fields = dict(plain)
            layout = dict(fields.pop("layout"))
            boxes = tuple((Lead(lead), Box(*box)) for lead, box in layout.pop("lead_boxes"))
            spec = cls(layout=Layout(**layout, lead_boxes=boxes), **fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a preprocessing spec this version understands: {error}") from error
        if spec.to_dict() != plain:
            raise ValueError("not a preprocessing spec this version understands: it does not survive a round trip")
        return spec

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical JSON form: differs as soon as any number does."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
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
