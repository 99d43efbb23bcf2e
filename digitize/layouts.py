"""How carts arrange leads on a page. A layout is data: adding one is one entry here and one test."""

from dataclasses import dataclass

__all__ = ["LAYOUTS", "Layout"]


@dataclass(frozen=True)
class Layout:
    """Rows of lead names; each row runs over the page, and rhythm strips may follow below.

    Attributes:
        name: rows x columns, and the order if it is not the usual one.
        rows: lead names, rows of equal length.
        columns_s: seconds that one column may show; the length of the rows tells which.
        inverted: leads that are printed with the opposite sign, as Cabrera's -aVR.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]
    columns_s: tuple[float, ...]
    inverted: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Leads in a row."""
        return len(self.rows[0])


def _by_columns(*columns: str) -> tuple[tuple[str, ...], ...]:
    return tuple(zip(*(column.split() for column in columns), strict=True))


_CHEST = ("V1 V2 V3", "V4 V5 V6")

LAYOUTS = (
    Layout("3x4", _by_columns("I II III", "aVR aVL aVF", *_CHEST), (2.5, 1.25)),
    Layout("3x4 Cabrera", _by_columns("aVL I aVR", "II aVF III", *_CHEST), (2.5, 1.25), ("aVR",)),
    Layout("6x2", _by_columns("I II III aVR aVL aVF", "V1 V2 V3 V4 V5 V6"), (5.0, 2.5)),
    Layout("6x2 Cabrera", _by_columns("aVL I aVR II aVF III", "V1 V2 V3 V4 V5 V6"), (5.0, 2.5), ("aVR",)),
    Layout("12x1", _by_columns("I II III aVR aVL aVF V1 V2 V3 V4 V5 V6"), (10.0, 5.0)),
    Layout("12x1 Cabrera", _by_columns("aVL I aVR II aVF III V1 V2 V3 V4 V5 V6"), (10.0, 5.0), ("aVR",)),
)
"""Every layout may have rhythm strips below; the page says how many."""
