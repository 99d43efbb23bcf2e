"""Where signals land on the printed page: the ground truth of a rendered page."""

from dataclasses import dataclass

from shared_preproc.layout import Layout
from shared_preproc.leads import Lead

__all__ = ["COLUMNS", "COLUMN_S", "PAGE_S", "PageGeometry"]

COLUMNS = 4
COLUMN_S = 2.5
PAGE_S = COLUMNS * COLUMN_S


@dataclass(frozen=True)
class PageGeometry:
    """Time and voltage to pixels, the same for every lead but for its row's zero line.

    The recording runs on from column to column: one clock holds for the whole page, and column k shows seconds
    2.5 k to 2.5 (k + 1) of its leads.
    """

    layout: Layout
    left_px: float = 152.0
    """Column of t = 0. Measured: separators at 644, 1136 and 1627.5, last ink of a trace at 2121."""
    zero_rows_px: tuple[float, ...] = (463.0, 763.0, 1066.0, 1366.0)
    """Row of 0 mV, three lead rows and the rhythm strip. Measured: the feet of the calibration pulses."""

    @property
    def px_per_s(self) -> float:
        """Columns in a second."""
        return self.layout.px_per_s

    @property
    def px_per_mv(self) -> float:
        """Rows in a millivolt."""
        return self.layout.px_per_mv

    @property
    def separators_px(self) -> tuple[float, ...]:
        """Columns where one lead ends and the next begins."""
        return tuple(self.x_px(column * COLUMN_S) for column in range(1, COLUMNS))

    def x_px(self, time_s: float) -> float:
        """Column of a moment of the recording."""
        return self.left_px + time_s * self.px_per_s

    def y_px(self, lead: Lead, signal_mv: float) -> float:
        """Row of a voltage in the row of ``lead``; up is positive."""
        return self.zero_px(lead) - signal_mv * self.px_per_mv

    def zero_px(self, lead: Lead) -> float:
        """Row of 0 mV of ``lead``."""
        return self.zero_rows_px[self.layout.leads.index(lead) // COLUMNS]

    def span_s(self, lead: Lead) -> tuple[float, float]:
        """First and last second of the recording that the box of ``lead`` shows."""
        if lead is Lead.RHYTHM_STRIP:
            return 0.0, PAGE_S
        column = self.layout.leads.index(lead) % COLUMNS
        return column * COLUMN_S, (column + 1) * COLUMN_S
