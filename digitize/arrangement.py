"""Which layout a page has: the one whose places agree with the lead names that were read."""

from dataclasses import dataclass, field

import numpy as np

from digitize.flat import PX_PER_MM
from digitize.layouts import LAYOUTS, Layout
from digitize.names import NAMES, Token

__all__ = ["STROKES", "Arrangement", "arrange"]

_COLUMN_MM = (20.0, 270.0)
_ROW_MM = (7.0, 80.0)
_OFF_MM = 5.0  # of a name from its place, across
_OFF_ROWS = 0.3  # down
_SURE = 0.6
_STROKE = "I"  # any tick looks like it, so that it speaks against nothing
STROKES = frozenset({"I", "II", "III"})
"""Names that their number of strokes alone tells apart."""
_TAKEN = 48  # names that are looked at, the best ones


@dataclass(frozen=True)
class Arrangement:
    """A layout with its places on the flat page, in flat pixels.

    Attributes:
        read: the token of each lead whose name was read in its place.
        against: names that were read where the layout has another lead.
        score: sum of the scores of `read`, less those of `against`.
        runner_up: name and score of the second best layout.
    """

    layout: Layout
    first_x: float
    column_px: float
    first_y: float
    row_px: float
    read: dict[str, Token]
    against: tuple[Token, ...]
    score: float
    runner_up: tuple[str, float] = field(default=("", 0.0))

    @property
    def unread(self) -> list[tuple[float, float]]:
        """Where the names that were not read should stand: left edge and middle, flat pixels."""
        return [
            (self.first_x + column * self.column_px, self.first_y + row * self.row_px)
            for row, leads in enumerate(self.layout.rows)
            for column, lead in enumerate(leads)
            if lead not in self.read
        ]


def arrange(tokens: list[Token]) -> Arrangement | None:
    """Fit every layout to the names; the best one, ``None`` where none has two names in place."""
    names = sorted((token for token in tokens if token.text in NAMES), key=lambda token: -token.score)[:_TAKEN]
    whole = [token for token in names if token.whole]
    parts = [token for token in names if not token.whole]
    fits = [fit for layout in LAYOUTS if (fit := _fit(layout, whole, parts)) is not None]
    if not fits:
        return None
    fits.sort(key=lambda fit: -fit.score)
    best = fits[0]
    second = (fits[1].layout.name, fits[1].score) if len(fits) > 1 else ("", 0.0)
    return Arrangement(**{**best.__dict__, "runner_up": second})


def _fit(layout: Layout, names: list[Token], parts: list[Token]) -> Arrangement | None:
    cells = {lead: (row, column) for row, leads in enumerate(layout.rows) for column, lead in enumerate(leads)}
    if len(names) < 2:  # noqa: PLR2004 - two points make an affine map
        return None
    lefts = np.array([token.left for token in names])
    centres = np.array([token.y for token in names])
    scores = np.array([token.score for token in names])
    rows = np.array([cells[token.text][0] for token in names])
    columns = np.array([cells[token.text][1] for token in names])
    one, other = np.triu_indices(len(names), 1)
    down = rows[other] - rows[one]
    across = columns[other] - columns[one]
    single = layout.columns == 1
    usable = (down != 0) & ((across != 0) | single)
    one, other, down, across = one[usable], other[usable], down[usable], across[usable]
    row_px = (centres[other] - centres[one]) / down
    column_px = np.zeros(len(one)) if single else (lefts[other] - lefts[one]) / across
    fine = (row_px > _ROW_MM[0] * PX_PER_MM) & (row_px < _ROW_MM[1] * PX_PER_MM)
    if not single:
        fine &= (column_px > _COLUMN_MM[0] * PX_PER_MM) & (column_px < _COLUMN_MM[1] * PX_PER_MM)
    one, row_px, column_px = one[fine], row_px[fine], column_px[fine]
    if not len(one):
        return None
    first_x = lefts[one] - columns[one] * column_px
    first_y = centres[one] - rows[one] * row_px
    off_x = np.abs(first_x[:, np.newaxis] + columns * column_px[:, np.newaxis] - lefts) / (_OFF_MM * PX_PER_MM)
    off_y = np.abs(first_y[:, np.newaxis] + rows * row_px[:, np.newaxis] - centres) / (
        _OFF_ROWS * row_px[:, np.newaxis]
    )
    inside = (off_x < 1) & (off_y < 1)
    # Each lead counts once.
    leads = np.array([NAMES.index(token.text) for token in names])
    got = np.zeros((len(one), len(NAMES)))
    for lead in np.unique(leads):
        got[:, lead] = np.where(
            inside[:, leads == lead], scores[leads == lead] - 0.1 * off_x[:, leads == lead], 0.0
        ).max(axis=1)
    best = int(got.sum(axis=1).argmax())
    chosen = np.flatnonzero(inside[best])
    return _least_squares(layout, (names, parts), cells, chosen)


def _least_squares(
    layout: Layout, tokens: tuple[list[Token], list[Token]], cells: dict[str, tuple[int, int]], chosen: np.ndarray
) -> Arrangement:
    """Fit the places again to all names that agree, and look for names that do not."""
    names, parts = tokens
    read: dict[str, Token] = {}
    for index in chosen:
        token = names[int(index)]
        if token.text not in read:
            read[token.text] = token
    rows = np.array([cells[lead][0] for lead in read], float)
    columns = np.array([cells[lead][1] for lead in read], float)
    lefts, centres = np.array([token.left for token in read.values()]), np.array([token.y for token in read.values()])
    one = np.ones_like(rows)
    (first_y, slope_y), *_ = np.linalg.lstsq(np.stack([one, rows], 1), centres, rcond=None)
    if layout.columns > 1:
        (first_x, slope_x), *_ = np.linalg.lstsq(np.stack([one, columns], 1), lefts, rcond=None)
    else:
        first_x, slope_x = float(np.median(lefts)), 0.0
    against = tuple(
        _against([*names, *parts], read, cells, (float(first_x), float(slope_x), float(first_y), float(slope_y)))
    )
    score = sum(token.score for token in read.values()) - sum(token.score for token in against)
    return Arrangement(layout, float(first_x), float(slope_x), float(first_y), float(slope_y), read, against, score)


def _against(
    names: list[Token],
    read: dict[str, Token],
    cells: dict[str, tuple[int, int]],
    places: tuple[float, float, float, float],
) -> list[Token]:
    """Names that were read where the layout has another one; part of a longer name, as V3 of V3R, is another one.

    One that is read in its own place also is taken for a misreading; but for strokes, which are counted wrongly, only
    where it is the only one: posterior leads, which the layouts do not have, look like several.
    """
    first_x, column_px, first_y, row_px = places
    against: list[Token] = []
    misread: dict[str, Token] = {}
    for lead, (row, column) in cells.items():
        for token in names:
            near_x = abs(token.left - first_x - column * column_px) < _OFF_MM * PX_PER_MM
            near_y = abs(token.y - first_y - row * row_px) < 0.5 * _OFF_ROWS * row_px
            better = lead in read and read[lead].score >= token.score
            weak = token.score < _SURE or better or token.text == _STROKE
            if not (near_x and near_y) or (token.whole and weak):
                continue
            if token.text not in read or not token.whole:
                against.append(token)
            elif not {lead, token.text} <= STROKES:
                misread[lead] = token
    return against if len(misread) <= 1 else against + list(misread.values())
