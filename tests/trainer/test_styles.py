"""Styles that are drawn at random."""

from trainer.pages.styles import unseen_styles


def test_seed_gives_the_same_styles() -> None:
    assert unseen_styles(20, seed=1) == unseen_styles(20, seed=1) != unseen_styles(20, seed=2)


def test_unseen_pages_are_some_that_a_cart_prints() -> None:
    styles = unseen_styles(200, seed=3)
    assert len({style.layout.name for style in styles}) == 6
    for style in styles:
        assert style.column_s in style.layout.columns_s
        assert style.column_s * style.layout.columns * style.speed_mm_s <= 260
        assert style.gain_mm_mv < 20 or style.row_mm >= 36
        assert [float(word) for word in style.printed.replace("mm", " ").split() if word[0].isdigit()] == [
            style.speed_mm_s,
            style.gain_mm_mv,
        ]
