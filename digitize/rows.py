"""Rows of curves on the flat page: baselines of leads and rhythm strips."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.arrangement import Arrangement
from digitize.errors import WHOLE_PAGE, UndigitizedPageError
from digitize.flat import PX_PER_MM
from digitize.gridmap import Floats
from digitize.names import NAMES, Token

__all__ = ["Row", "erase_rules", "erase_tokens", "find_rows"]

Ink = NDArray[np.uint8]

_PEN = 80  # ink from here on is the pen's
_MOST_STRIPS = 3
_SURE = 0.6  # score of a strip's name
_AT_ROW = 0.4  # rows from a strip to its name, which stands beside it or as far above or below as those of leads
_RULE_MM, _RULE_GAP_PX = 60.0, 9
_BESIDE_MM = 6.0  # left of the names, where no lead is
_OFF_ROWS = 0.6  # rows from a curve to its name; further off it could be the next row's
_LEAST_FILLED = 0.4  # fourth power of the share of columns with ink


@dataclass(frozen=True)
class Row:
    """A row of curves.

    Attributes:
        baseline: row of the flat page where its curves rest.
        leads: names in its columns, of a rhythm strip the one that runs over all.
        strip: whether it is a rhythm strip.
        name: of a strip, its token.
    """

    baseline: float
    leads: tuple[str, ...]
    strip: bool = False
    name: Token | None = None


def erase_tokens(ink: Ink, tokens: list[Token]) -> Ink:
    """Take texts out of the ink, but not what hangs together with a curve."""
    rest = ink.copy()
    margin = 5
    for token in tokens:
        top, left = max(0, int(token.top) - margin), max(0, int(token.left) - margin)
        patch = rest[top : int(token.bottom) + margin + 1, left : int(token.right) + margin + 1]
        if patch.size == 0:
            continue
        _, labels, stats, _ = cv2.connectedComponentsWithStats((patch > 50).astype(np.uint8), connectivity=8)  # noqa: PLR2004
        height, width = patch.shape
        for number, (x, y, w, h, _) in enumerate(stats[1:].tolist(), start=1):
            if x > 0 and y > 0 and x + w < width and y + h < height:
                patch[cv2.dilate((labels == number).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 0
    return rest


def erase_rules(ink: Ink, arrangement: Arrangement) -> Ink:
    """Take ruled level lines, as those of a frame, out of the ink; a lead as straight begins at its name."""
    mask = (ink > _PEN).astype(np.uint8)
    whole = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, _RULE_GAP_PX), np.uint8))
    length = int(_RULE_MM * PX_PER_MM)
    long = np.flatnonzero(cv2.reduce(whole, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0] >= length)
    rules = np.zeros_like(mask)
    if len(long):
        lines = cv2.morphologyEx(whole[long], cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
        beside = max(0, int(arrangement.first_x - _BESIDE_MM * PX_PER_MM))
        rules[long] = lines * lines[:, :beside].any(axis=1, keepdims=True)
    rest = ink.copy()
    rest[cv2.dilate(rules, np.ones((5, 1), np.uint8)) > 0] = 0
    return rest


def find_rows(ink: Ink, arrangement: Arrangement, tokens: list[Token]) -> list[Row]:
    """Baselines of the layout's rows, then of the strips below.

    Args:
        ink: the flat page without texts.
        arrangement: the layout in its place.
        tokens: for the names of strips.

    Raises:
        UndigitizedPageError: a row of the layout lies outside the picture.
    """
    columns = arrangement.layout.columns
    length_px = columns * arrangement.column_px if columns > 1 else float(ink.shape[1])
    left, right = max(0, int(arrangement.first_x)), min(ink.shape[1], int(arrangement.first_x + length_px))
    mask = (ink[:, left:right:2] > _PEN).astype(np.uint8)
    profile = _smooth(mask.mean(axis=1), 5.0)
    layout, row_px = arrangement.layout, arrangement.row_px
    names_y = arrangement.first_y + row_px * np.arange(len(layout.rows))
    # A row of curves has ink near its baseline in nearly every column, a line of text has not.
    filled = cv2.dilate(mask, np.ones((2 * int(0.15 * row_px) + 1, 1), np.uint8)).mean(axis=1) ** 4
    rest = profile / max(float(profile.max()), 1e-6)
    offsets = np.arange(-_OFF_ROWS * row_px, _OFF_ROWS * row_px)

    def at(strength: Floats, rows: Floats) -> Floats:
        return np.where(
            (rows >= 0) & (rows < len(strength)), strength[np.clip(rows.astype(int), 0, len(strength) - 1)], 0.0
        )

    places = names_y + offsets[:, np.newaxis]
    gains = at(filled, places).sum(axis=1) + 0.5 * at(rest, places).sum(axis=1) - at(filled, places[:, 0] - row_px)
    gains -= 0.3 * np.abs(offsets) / row_px
    offset = float(offsets[gains.argmax()])
    if names_y[0] + offset < 0 or names_y[-1] + offset >= len(profile):
        raise UndigitizedPageError(
            "curves",
            found="names of a row whose curves lie outside the picture",
            expected="every row of leads with its curves",
            remedy=WHOLE_PAGE,
        )
    baselines = [_peak(profile, y + offset, 0.2 * row_px) for y in names_y]
    rows = [Row(baseline, leads) for baseline, leads in zip(baselines, layout.rows, strict=True)]
    strong = 0.35 * float(np.median([profile[int(baseline)] for baseline in baselines]))
    strips: list[Row] = []
    start = int(baselines[-1] + 0.45 * row_px)
    taken = profile[start:].copy()
    while len(strips) < _MOST_STRIPS and len(taken) and taken.max() > strong:
        if filled[start + int(taken.argmax())] < _LEAST_FILLED:
            taken[int(taken.argmax())] = 0.0
            continue
        place = int(taken.argmax())
        baseline = float(start + place)
        near = 0.45 * row_px
        taken[max(0, int(place - near)) : int(place + near)] = 0.0
        if baseline - baselines[-1] > (_MOST_STRIPS + 0.9) * row_px:
            continue
        name = _strip_name(tokens, arrangement, baseline, offset)
        strips.append(Row(baseline, (name.text if name else "",), strip=True, name=name))
    return rows + sorted(strips, key=lambda row: row.baseline)


def _smooth(profile: Floats, sigma: float) -> Floats:
    size = (1, 2 * int(3 * sigma) + 1)
    smooth = cv2.GaussianBlur(profile.reshape(-1, 1), size, sigmaX=1.0, sigmaY=sigma)
    return np.asarray(smooth[:, 0], np.float64)


def _peak(profile: Floats, near: float, reach: float) -> float:
    first, end = max(0, int(near - reach)), min(len(profile), int(near + reach) + 1)
    return float(first + int(profile[first:end].argmax())) if end > first else near


def _strip_name(tokens: list[Token], arrangement: Arrangement, baseline: float, offset: float) -> Token | None:
    taken = set(map(id, arrangement.read.values()))
    near = [
        token
        for token in tokens
        if token.text in NAMES
        and token.text != "I"  # any tick looks like it
        and token.score >= _SURE
        and id(token) not in taken
        and abs(token.left - arrangement.first_x) < 7 * PX_PER_MM
        and min(abs(token.y + offset - baseline), abs(token.y - baseline)) < _AT_ROW * arrangement.row_px
    ]
    return max(near, key=lambda token: token.score) if near else None
