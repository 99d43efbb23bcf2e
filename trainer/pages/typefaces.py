"""The typefaces that drawn pages use: those of the machine, Pillow's own, and a pen's strokes."""

import os
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["HELD_OUT", "draw_text", "typefaces"]

_USER = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
_FOLDERS = (Path("/usr/share/fonts"), _USER / "fonts", Path(mpl.get_data_path(), "fonts", "ttf"))
_WANTED = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif", "DejaVuSansCondensed"),
    *("LiberationSans-Regular", "LiberationSans-Bold", "LiberationSerif-Regular", "LiberationSerif-Bold"),
    *("LiberationMono-Regular", "LiberationMono-Bold", "LiberationSansNarrow-Regular", "LiberationSansNarrow-Bold"),
    *("FreeSerif", "FreeSerifBold", "FreeMono", "FreeMonoBold", "FreeSans", "NimbusSans-Bold", "NimbusMonoPS-Bold"),
    *("C059-Roman", "P052-Roman", "URWBookman-Light", "URWGothic-Book", "NimbusSansNarrow-Bold", "C059-Bold"),
    *("Roboto-Regular", "RobotoCondensed-Bold", "Roboto-Medium", "Lato-Regular", "Lato-Bold", "cmr10", "cmss10"),
    *("STIXGeneral", "STIXGeneralBol", "pillow", "pen", "pen-thick", "pen-serif"),
)
HELD_OUT = ("OpenSans-Regular", "OpenSans-Semibold", "NimbusRoman-Regular", "DejaVuSerif-Bold", "cmtt10")
"""Typefaces that the name detector never sees in training."""
_HERSHEY = {
    "pen": (cv2.FONT_HERSHEY_SIMPLEX, 1),
    "pen-thick": (cv2.FONT_HERSHEY_DUPLEX, 2),
    "pen-serif": (cv2.FONT_HERSHEY_COMPLEX, 1),
}


@lru_cache(maxsize=2)
def typefaces(held_out: bool = False) -> tuple[str, ...]:
    """Names of the typefaces that this machine has."""
    names = HELD_OUT if held_out else _WANTED
    return tuple(name for name in names if name == "pillow" or name in _HERSHEY or name in _files())


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    found = [path for folder in _FOLDERS for path in sorted(folder.rglob("*")) if path.suffix in (".ttf", ".otf")]
    return {path.stem: path for path in reversed(found)}


@lru_cache(maxsize=4096)
def draw_text(text: str, typeface: str, capital_px: float) -> NDArray[np.uint8]:
    """Ink of a text, uint8 (rows, columns), 255 where drawn, cut to its ink; capitals are ``capital_px`` high.

    The typeface ``none`` draws nothing.
    """
    if typeface == "none":
        return np.zeros((1, 1), np.uint8)
    if typeface in _HERSHEY:
        face, thick = _HERSHEY[typeface]
        scale = capital_px / 21.0
        weight = max(1, round(thick * scale * 1.6))
        (width, height), base = cv2.getTextSize(text, face, scale, weight)
        canvas = np.zeros((height + base + 12, width + 12), np.uint8)
        cv2.putText(canvas, text, (5, height + 5), face, scale, 255, weight, cv2.LINE_AA)
    else:
        font = _font(typeface, capital_px)
        left, top, right, bottom = font.getbbox(text)
        image = Image.new("L", (max(1, int(right - left) + 4), max(1, int(bottom - top) + 4)), 0)
        ImageDraw.Draw(image).text((2 - left, 2 - top), text, fill=255, font=font)
        canvas = np.asarray(image)
    rows, columns = np.flatnonzero(canvas.max(axis=1) > 64), np.flatnonzero(canvas.max(axis=0) > 64)  # noqa: PLR2004
    if not len(rows):
        return np.zeros((1, 1), np.uint8)
    return np.ascontiguousarray(canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


@lru_cache(maxsize=512)
def _font(typeface: str, capital_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    def load(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return (
            ImageFont.load_default(size) if typeface == "pillow" else ImageFont.truetype(str(_files()[typeface]), size)
        )

    probe = load(100.0)
    _, top, _, bottom = probe.getbbox("H")
    return load(capital_px * 100.0 / (bottom - top))
