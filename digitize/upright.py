"""The page the right way up, with lead names that prove one layout."""

import numpy as np

from digitize.arrangement import Arrangement, arrange
from digitize.errors import WHOLE_PAGE, UndigitizedPageError
from digitize.flat import FlatPage
from digitize.names import NAMES, Token, find_clearest, find_small, find_tokens, judged, read_places

__all__ = ["find_names"]

_LEAST_NAMES = 6
_CHANCE = 3  # names that strokes of a page which is not upright may look like
_READ_WITH_GAPS, _ROWS_UNREAD = 8, 3  # names that must be read where a row has none; rows that may have none
_RUNNER_UP = 0.75
_SURE, _MOST_TWICE = 0.6, 4  # score of a name; names that strips and a misread word may repeat; any stroke reads as I


def find_names(page: FlatPage) -> tuple[FlatPage, list[Token], Arrangement]:
    """Turn the page upright and read the names.

    Small print is read where few agree, and once more the places of names that were not read.
    """
    tokens = find_tokens(page)
    found = arrange(tokens)
    if _count(found) < _LEAST_NAMES:
        tokens = find_small(page, tokens)
        found = arrange(tokens)
    if _count(found) <= _CHANCE:
        counts = [_count(arrange(find_clearest(page.turned(quarters)))) for quarters in (1, 2, 3)]
        if max(counts) > _CHANCE:
            page = page.turned(1 + int(np.argmax(counts)))
            tokens = find_tokens(page)
            found = arrange(tokens)
    if found is not None and _LEAST_NAMES <= len(found.read) < len(NAMES):
        height = float(np.median([token.bottom - token.top for token in found.read.values()]))
        tokens = tokens + read_places(page, found.unread, height)
    tokens = judged(page, tokens)
    return page, tokens, _proven(arrange(tokens), tokens)


def _count(found: Arrangement | None) -> int:
    return len(found.read) if found else 0


def _proven(found: Arrangement | None, tokens: list[Token]) -> Arrangement:
    """Refuse a layout that too few names prove, and a picture of two ECGs.

    Raises:
        UndigitizedPageError: fewer than six names, a row or column without one, names that contradict or stand twice.
    """
    read = _count(found)
    if found is None or read < _LEAST_NAMES:
        raise UndigitizedPageError(
            "names",
            found=f"{read} lead names in places that agree",
            expected=f"at least {_LEAST_NAMES} of the twelve lead names",
            remedy="Send the whole page with readable lead names, upright. " + WHOLE_PAGE,
        )
    taken = set(map(id, found.read.values()))
    twice = {token.text for token in tokens if id(token) not in taken and token.score >= _SURE} & found.read.keys() - {
        "I"
    }
    if len(twice) > _MOST_TWICE:
        raise UndigitizedPageError(
            "layout",
            found=f"{', '.join(sorted(twice))} printed twice",
            expected="one ECG on the picture",
            remedy="Send each ECG as a picture of its own.",
        )
    cells = [
        (row, column)
        for row, leads in enumerate(found.layout.rows)
        for column, lead in enumerate(leads)
        if lead in found.read
    ]
    rows, columns = {row for row, _ in cells}, {column for _, column in cells}
    unread = len(found.layout.rows) - len(rows)
    alone = len(columns) < found.layout.columns or (unread > 0 and read < _READ_WITH_GAPS) or unread > _ROWS_UNREAD
    if alone or found.against or found.runner_up[1] > _RUNNER_UP * found.score:
        what = "a row or column without a readable name" if alone else "names that contradict one another"
        raise UndigitizedPageError(
            "layout",
            found=f"{what} for {found.layout.name}; next {found.runner_up[0] or 'none'}",
            expected="one layout that the names agree with, and no other",
            remedy="Send the whole page with readable lead names, upright. " + WHOLE_PAGE,
        )
    return found
