"""How carts arrange leads on a page. A layout is data: adding one is one entry here and one test."""

from dataclasses import dataclass

__all__ = ["LAYOUTS", "Layout"]


@dataclass(frozen=True)
class Layout:
    """Rows of lead names; each row runs over the page, and rhythm strips may follow below.

    Attributes:
        name: rows x columns, and the order if it is not the usual one.
        rows: lead names, rows of equal length.
        column_s: seconds that one column shows.
        inverted: leads that are printed with the opposite sign, as Cabrera's -aVR.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]
    column_s: float
    inverted: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Leads in a row."""
        return len(self.rows[0])

    @property
    def page_s(self) -> float:
        """Seconds from the first column's start to the last one's end."""
        return self.columns * self.column_s


def _by_columns(*columns: str) -> tuple[tuple[str, ...], ...]:
    return tuple(zip(*(column.split() for column in columns), strict=True))


_CHEST = ("V1 V2 V3", "V4 V5 V6")

LAYOUTS = (
    Layout("3x4", _by_columns("I II III", "aVR aVL aVF", *_CHEST), 2.5),
    Layout("3x4 Cabrera", _by_columns("aVL I aVR", "II aVF III", *_CHEST), 2.5, ("aVR",)),
    Layout("6x2", _by_columns("I II III aVR aVL aVF", "V1 V2 V3 V4 V5 V6"), 5.0),
    Layout("6x2 Cabrera", _by_columns("aVL I aVR II aVF III", "V1 V2 V3 V4 V5 V6"), 5.0, ("aVR",)),
    Layout("12x1", _by_columns("I II III aVR aVL aVF V1 V2 V3 V4 V5 V6"), 10.0),
    Layout("12x1 Cabrera", _by_columns("aVL I aVR II aVF III V1 V2 V3 V4 V5 V6"), 10.0, ("aVR",)),
)
"""Every layout may have rhythm strips below; the page says how many."""
