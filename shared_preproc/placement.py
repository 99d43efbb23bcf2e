"""How a page came: as the cart exports it, or brought to the printed form from some other picture."""

from dataclasses import dataclass
from typing import Literal

from shared_preproc.leads import Lead

__all__ = ["EXPORT", "Placement", "PlacementKind"]

PlacementKind = Literal["export", "shifted", "scaled", "tilted", "perspective", "bent"]
"""The simplest map that brings the picture to the page: none; whole pixels and quarter turns; a scale for each axis;
an affine map; a homography; a smooth surface."""


@dataclass(frozen=True)
class Placement:
    """How a page was brought to the printed form.

    Attributes:
        kind: the map that was needed.
        scale: pixels of the picture for each pixel of the layout.
        turned_deg: how far the page is turned clockwise in the picture: 0, 90, 180 or 270.
        tilt_deg: how far it is tilted clockwise beside that, -45 to 45.
        residual_mm: root mean square distance of the printed grid from its place after registration; None where the
            picture shows no grid and only pulses and separators place the page.
        cut: leads whose boxes the picture does not show whole.
        several: whether the picture shows another report page beside this one.
    """

    kind: PlacementKind
    scale: float = 1.0
    turned_deg: int = 0
    tilt_deg: float = 0.0
    residual_mm: float | None = 0.0
    cut: tuple[Lead, ...] = ()
    several: bool = False


EXPORT = Placement("export")
