"""Layouts are chosen by names in their places, never by rows alone."""

from dataclasses import replace

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


def against(**printed: str) -> list[str]:
    """Names that speak against three rows of four on which leads have other names: lead to what is printed there."""
    found = arrange([replace(token, text=printed.get(token.text, token.text)) for token in tokens_of(LAYOUTS[0])])
    assert found is not None
    return sorted(token.text for token in found.against)


def test_exchanged_names_count_against_the_layout() -> None:
    assert against(II="V2", V2="II") == ["II", "V2"]
    assert against(II="III", III="II") == ["II", "III"]


def test_name_that_stands_in_its_own_place_too_is_misread() -> None:
    assert against(V2="V5") == []
    assert against(I="II", III="II") == []


def test_posterior_leads_are_no_misreadings() -> None:
    assert against(V4="V1", V5="V3", V6="V2") == ["V1", "V2", "V3"]


def test_part_of_a_longer_name_counts_against_the_layout() -> None:
    tokens = [replace(token, whole=token.text != "V4") for token in tokens_of(LAYOUTS[0])]
    found = arrange(tokens)
    assert found is not None
    assert [token.text for token in found.against] == ["V4"]


def test_no_names_give_no_layout() -> None:
    assert arrange([]) is None
