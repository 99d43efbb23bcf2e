"""Where things stand on a report page."""

from dataclasses import dataclass
from typing import NamedTuple

from shared_preproc.leads import LEADS, Lead

__all__ = ["EDAN_3X4_R1", "LARGEST_PX", "Box", "Layout", "check_range"]

LARGEST_PX = 20_000
"""Most rows or columns of a page that a layout can describe."""


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


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Check that a number lies within ``low`` to ``high``.

    Raises:
        ValueError: it does not, or is not a number.
    """
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; expected {low} to {high}")


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
        """Reject a layout that no page can be read with.

        Raises:
            ValueError: a lead has no box or several, a box lies outside the page, or a number is out of range.
        """
        check_range("width_px", self.width_px, 1, LARGEST_PX)
        check_range("height_px", self.height_px, 1, LARGEST_PX)
        check_range("tolerance_px", self.tolerance_px, 0, LARGEST_PX)
        check_range("px_per_mm", self.px_per_mm, 0.1, 1000)
        check_range("mm_per_mv", self.mm_per_mv, 0.1, 1000)
        check_range("mm_per_s", self.mm_per_s, 0.1, 1000)
        for lead, box in self.lead_boxes:
            inside = 0 <= box.top < box.bottom <= self.height_px and 0 <= box.left < box.right <= self.width_px
            if not inside:
                raise ValueError(f"the box of {lead} lies outside the page")
        if sorted(self.leads) != sorted(LEADS):
            raise ValueError(
                f"the layout has boxes for {', '.join(self.leads)}; expected one for each of {', '.join(LEADS)}"
            )

    @property
    def leads(self) -> tuple[Lead, ...]:
        """Lead names in page order."""
        return tuple(lead for lead, _ in self.lead_boxes)

    @property
    def px_per_s(self) -> float:
        """Columns a second."""
        return self.px_per_mm * self.mm_per_s

    @property
    def px_per_mv(self) -> float:
        """Rows a millivolt."""
        return self.px_per_mm * self.mm_per_mv

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
