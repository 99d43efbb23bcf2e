"""Layouts are chosen by names in their places, never by rows alone."""

import pytest

from digitize.arrangement import arrange
from digitize.layouts import LAYOUTS, Layout
from digitize.names import NAMES, Token

COLUMN_PX, ROW_PX = 500.0, 200.0


def tokens_of(layout: Layout, *, left_out: tuple[str, ...] = ()) -> list[Token]:
    """Every name of a layout in its place."""
    found = []
    for row, leads in enumerate(layout.rows):
        for column, lead in enumerate(leads):
            left, top = 100 + COLUMN_PX * column, 150 + ROW_PX * row
            if lead not in left_out:
                found.append(Token(lead, 0.9, left, top, left + 30, top + 20))
    return found


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_has_each_lead_once(layout: Layout) -> None:
    assert sorted(lead for row in layout.rows for lead in row) == sorted(NAMES)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_names_in_place_give_the_layout(layout: Layout) -> None:
    found = arrange(tokens_of(layout))
    assert found is not None
    assert found.layout == layout
    assert len(found.read) == 12
    assert found.runner_up[1] < 0.75 * found.score


def test_a_missing_name_leaves_the_layout() -> None:
    found = arrange(tokens_of(LAYOUTS[0], left_out=("V2", "aVF")))
    assert found is not None
    assert found.layout == LAYOUTS[0]
    assert len(found.read) == 10


def test_a_wrong_name_counts_against_the_layout() -> None:
    tokens = tokens_of(LAYOUTS[0], left_out=("V2",))
    tokens.append(Token("V5", 0.8, 1100, 350, 1130, 370))
    found = arrange(tokens)
    assert found is not None
    assert [token.text for token in found.against] == ["V5"]


def test_no_names_give_no_layout() -> None:
    assert arrange([]) is None
