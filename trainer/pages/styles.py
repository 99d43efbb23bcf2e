"""Cart styles: how a page of one kind looks. Whole styles are held out from every choice and used for figures only."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from digitize.layouts import LAYOUTS, Layout
from trainer.pages.typefaces import HELD_OUT

__all__ = ["HELD_OUT_STYLES", "STYLES", "Style", "unseen_styles"]

_BY_NAME = {layout.name: layout for layout in LAYOUTS}


@dataclass(frozen=True)
class Style:
    """One cart's page.

    Attributes:
        layout, strips: arrangement, and lead names of the strips below.
        grid: solid, dotted, or lines of 1 mm alone; light, heavy: gray levels of its lines.
        pen_mm, pen: width and gray level of the pen.
        typeface, name_mm: of lead names, height of a capital.
        name_at: offset of a name from its column's start and row's zero line, millimetre, right and up.
        row_mm: from one row to the next.
        pulse: where calibration pulses stand.
        printed: speed and gain as the footer says them, ``""`` where it does not.
        separators: what stands between columns.
        header: lines of text above.
        column_s: seconds that one column shows.
        px_per_mm: resolution of an export.
    """

    name: str
    layout: Layout = field(default=_BY_NAME["3x4"])
    strips: tuple[str, ...] = ("II",)
    grid: Literal["solid", "dotted", "fine"] = "solid"
    light: int = 225
    heavy: int = 180
    paper: int = 255
    pen_mm: float = 0.3
    pen: int = 0
    typeface: str = "DejaVuSans"
    name_mm: float = 2.8
    name_at: tuple[float, float] = (1.0, 6.0)
    row_mm: float = 36.0
    pulse: Literal["left", "right", "none"] = "left"
    printed: str = "25 mm/s   10 mm/mV"
    separators: Literal["none", "bar", "ticks", "dashes"] = "none"
    header: int = 3
    column_s: float = 2.5
    speed_mm_s: float = 25.0
    gain_mm_mv: float = 10.0
    px_per_mm: float = 7.874
    margin_mm: tuple[float, float] = (14.0, 10.0)


STYLES = (
    Style("plain", pulse="right", typeface="DejaVuSerif", separators="ticks"),
    Style("bars", typeface="LiberationSans-Regular", separators="bar", name_at=(0.5, -6.0), printed="25mm/s  10mm/mV"),
    Style("dots", grid="dotted", heavy=150, light=170, typeface="NimbusSansNarrow-Bold", pulse="none", row_mm=32.0),
    Style("three strips", strips=("V1", "II", "V5"), row_mm=26.0, typeface="LiberationMono-Bold", name_mm=2.4),
    Style(
        "six",
        layout=_BY_NAME["6x2"],
        column_s=5.0,
        strips=(),
        row_mm=24.0,
        typeface="FreeSerif",
        grid="fine",
        light=200,
    ),
    Style("six strip", layout=_BY_NAME["6x2"], column_s=5.0, strips=("II",), row_mm=22.0, typeface="Roboto-Regular"),
    Style(
        "twelve",
        layout=_BY_NAME["12x1"],
        column_s=10.0,
        strips=(),
        row_mm=14.5,
        typeface="Lato-Bold",
        name_mm=2.2,
        name_at=(0.5, 4.0),
    ),
    Style("low gain", gain_mm_mv=5.0, printed="25 mm/s  5 mm/mV", typeface="pen", row_mm=30.0),
    Style(
        "fast",
        layout=_BY_NAME["6x2"],
        column_s=2.5,
        strips=(),
        speed_mm_s=50.0,
        printed="50 mm/s 10 mm/mV",
        row_mm=24.0,
        typeface="P052-Roman",
    ),
)
"""Styles that may be looked at while the reader is built."""

HELD_OUT_STYLES = (
    Style(
        "clinic",
        typeface="OpenSans-Semibold",
        separators="dashes",
        name_at=(1.5, 7.0),
        light=232,
        heavy=190,
        pen_mm=0.25,
    ),
    Style(
        "ward",
        strips=(),
        typeface="NimbusRoman-Regular",
        pulse="right",
        separators="ticks",
        row_mm=40.0,
        name_at=(2.0, 9.0),
        printed="25 mm/sec 10.0 mm/mV",
    ),
    Style(
        "dotted serif",
        grid="dotted",
        heavy=140,
        light=160,
        typeface="DejaVuSerif-Bold",
        name_at=(0.8, -7.0),
        pen_mm=0.35,
    ),
    Style(
        "two by six",
        layout=_BY_NAME["6x2"],
        column_s=5.0,
        strips=("II",),
        typeface="OpenSans-Regular",
        row_mm=23.0,
        light=210,
        heavy=160,
    ),
    Style(
        "cabrera",
        layout=_BY_NAME["6x2 Cabrera"],
        column_s=5.0,
        strips=(),
        typeface="OpenSans-Semibold",
        row_mm=25.0,
        pulse="left",
    ),
    Style(
        "tall",
        layout=_BY_NAME["12x1"],
        column_s=10.0,
        strips=(),
        typeface="NimbusRoman-Regular",
        row_mm=14.5,
        name_mm=2.4,
        name_at=(0.5, 4.2),
    ),
    Style(
        "double gain",
        gain_mm_mv=20.0,
        printed="25mm/s 20mm/mV",
        strips=("II",),
        row_mm=42.0,
        typeface="cmtt10",
        header=1,
    ),
    Style(
        "three long",
        strips=("II", "V1", "V5"),
        typeface="DejaVuSerif-Bold",
        row_mm=27.0,
        pulse="none",
        printed="25.0 mm/s 10.0 mm/mV",
    ),
)
"""Styles, typefaces included, on which figures are measured."""


_ROWS_MM = {3: (26.0, 42.0), 6: (20.0, 27.0), 12: (14.5, 20.0)}
_SCALES = ("{:g}mm/s {:g}mm/mV", "{:g} mm/s   {:g} mm/mV", "{:.1f} mm/s {:.1f} mm/mV", "{:g} mm/sec {:.1f} mm/mV")
_GAINS = ((10.0, 17.0), (5.0, 0.0), (10.0, 20.0), (20.0, 36.0))  # and how far apart the rows are at least


def unseen_styles(count: int, seed: int) -> list[Style]:
    """Draw styles that nobody has looked at, from wider ranges than the others; typefaces are the held-out ones."""
    draw = np.random.default_rng(seed)
    styles = []
    for number in range(count):
        layout = LAYOUTS[draw.integers(len(LAYOUTS))]
        rows, column_s = len(layout.rows), layout.columns_s[0]
        speed_mm_s = 25.0 if layout.columns == 1 or draw.random() < 0.85 else 50.0  # noqa: PLR2004
        if speed_mm_s > 25.0:  # noqa: PLR2004 - the page would be too long
            column_s = layout.columns_s[1]
        row_mm = float(draw.uniform(*_ROWS_MM[rows]))
        gain_mm_mv = float(draw.choice([gain for gain, least_mm in _GAINS if row_mm >= least_mm]))
        grid: Literal["solid", "dotted", "fine"] = ("solid", "solid", "dotted", "fine")[draw.integers(4)]
        pulse: Literal["left", "right", "none"] = ("left", "left", "right", "none")[draw.integers(4)]
        separators: Literal["none", "bar", "ticks", "dashes"] = ("none", "bar", "ticks", "dashes")[draw.integers(4)]
        styles.append(
            Style(
                f"unseen {number}",
                layout=layout,
                strips=(("II",), (), ("II", "V1"), ("V1", "II", "V5"))[draw.integers(4)] if rows == 3 else (),  # noqa: PLR2004
                grid=grid,
                light=int(draw.integers(165, 232)),
                heavy=int(draw.integers(140, 190)),
                paper=int(draw.integers(235, 256)),
                pen_mm=float(draw.uniform(0.25, 0.4)),
                pen=int(draw.integers(0, 60)),
                typeface=HELD_OUT[draw.integers(len(HELD_OUT))],
                name_mm=float(draw.uniform(2.2, 3.2)),
                name_at=(float(draw.uniform(0.5, 2.5)), float(draw.choice((-1, 1)) * draw.uniform(4.0, 8.0))),
                row_mm=row_mm,
                pulse=pulse,
                printed=_SCALES[draw.integers(len(_SCALES))].format(speed_mm_s, gain_mm_mv),
                separators=separators if layout.columns > 1 else "none",
                header=int(draw.integers(0, 4)),
                column_s=column_s,
                speed_mm_s=speed_mm_s,
                gain_mm_mv=gain_mm_mv,
                px_per_mm=float(draw.uniform(5.0, 10.0)),
            )
        )
    return styles
