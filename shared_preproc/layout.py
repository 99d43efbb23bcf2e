"""Where things stand on a report page. Knows no image."""

from dataclasses import dataclass
from typing import NamedTuple

from shared_preproc.leads import LEADS, Lead

__all__ = ["EDAN_3X4_R1", "Box", "Layout"]


class Box(NamedTuple):
    """A rectangle in page pixels, half open: rows ``top:bottom``, columns ``left:right``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height_px(self) -> int:
        """Rows in the box."""
        return self.bottom - self.top

    @property
    def width_px(self) -> int:
        """Columns in the box."""
        return self.right - self.left


@dataclass(frozen=True)
class Layout:
    """One printed arrangement of the thirteen leads.

    ``lead_boxes`` are in page order, row by row; every array over leads in this project follows it.
    """

    name: str
    width_px: int
    height_px: int
    tolerance_px: int
    """How far width and height may each be off before a page is refused."""
    px_per_mm: float
    mm_per_mv: float
    mm_per_s: float
    lead_boxes: tuple[tuple[Lead, Box], ...]

    def __post_init__(self) -> None:
        """Refuse a layout that a page cannot be read with.

        Raises:
            ValueError: not each lead has exactly one box.
        """
        if sorted(self.leads) != sorted(LEADS):
            raise ValueError(
                f"the layout has boxes for {', '.join(self.leads)}; expected one for each of {', '.join(LEADS)}"
            )

    @property
    def leads(self) -> tuple[Lead, ...]:
        """Lead names in page order."""
        return tuple(lead for lead, _ in self.lead_boxes)

    @property
    def expected_size(self) -> str:
        """The accepted size in words, for messages to people."""
        return f"{self.width_px} x {self.height_px} px, each within {self.tolerance_px} px"

    def fits(self, width_px: int, height_px: int) -> bool:
        """Whether a page of this size may be cut with these boxes."""
        return (
            abs(width_px - self.width_px) <= self.tolerance_px and abs(height_px - self.height_px) <= self.tolerance_px
        )


EDAN_3X4_R1 = Layout(
    name="edan-3x4-r1",
    width_px=2213,
    height_px=1572,
    tolerance_px=20,
    px_per_mm=200 / 25.4,
    mm_per_mv=10.0,
    mm_per_s=25.0,
    lead_boxes=(
        (Lead.I, Box(300, 600, 150, 643)),
        (Lead.AVR, Box(300, 600, 646, 1135)),
        (Lead.V1, Box(300, 600, 1140, 1625)),
        (Lead.V4, Box(300, 600, 1630, 2125)),
        (Lead.II, Box(600, 900, 150, 643)),
        (Lead.AVL, Box(600, 900, 646, 1135)),
        (Lead.V2, Box(600, 900, 1140, 1625)),
        (Lead.V5, Box(600, 900, 1630, 2125)),
        (Lead.III, Box(900, 1200, 150, 643)),
        (Lead.AVF, Box(900, 1200, 646, 1135)),
        (Lead.V3, Box(900, 1200, 1140, 1625)),
        (Lead.V6, Box(900, 1200, 1630, 2125)),
        (Lead.RHYTHM_STRIP, Box(1250, 1480, 150, 2125)),
    ),
)
"""EDAN SE-3 report, 3 rows x 4 columns of 2.5 s and one 10 s rhythm strip, exported at 200 dpi.

Boxes: the scripts of "ECG classification using deep learning" (the published method).
"""
