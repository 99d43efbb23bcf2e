"""Beats that run through another curve are left out as a whole."""

import numpy as np
from numpy.typing import NDArray

from digitize.crossings import crossings

_SAMPLES = 500


def rows(*levels: float, beat_px: float = 60.0) -> NDArray[np.float32]:
    """Curves at levels of the flat page, each with a beat of 40 samples that goes up."""
    time = np.arange(_SAMPLES)
    middle = np.array([level - beat_px * np.exp(-(((time - 250) / 8.0) ** 2)) for level in levels])
    half = 2.0 + np.abs(np.gradient(middle, axis=1))
    return np.stack([middle, middle - half, middle + half]).astype(np.float32)


def test_curves_apart_are_known() -> None:
    assert not crossings(rows(100.0, 200.0, 300.0)).any()


def test_beat_that_meets_a_curve_is_unknown_in_both() -> None:
    curves = rows(100.0, 150.0)
    curves[:, 0] = [[100.0], [98.0], [102.0]]  # the upper one is flat
    unknown = crossings(curves)
    assert unknown[1, 235:265].all()
    assert unknown[0, 250]
    assert not unknown[:, :200].any()
    assert not unknown[:, 300:].any()


def test_ink_that_goes_on_in_the_next_column_is_met() -> None:
    curves = rows(100.0, 180.0)
    curves[2, 0, 240] = 150.0  # the upper curve took the lower one's ink
    curves[1, 1, 243] = 148.0
    assert crossings(curves)[:, 240:243].all()


def test_leads_that_follow_one_another_do_not_meet() -> None:
    curves = rows(100.0, 102.0, beat_px=0.0)
    curves[:, 0, 250:] = curves[:, 1, :250] = np.nan
    assert not crossings(curves).any()
