"""Drawn pages with their truth."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from digitize import Digitized, digitize
from digitize.sampling import RATE_HZ
from synthetic.pages import synth_signals
from trainer.pages.renderer import DrawnPage, draw_page
from trainer.pages.styles import STYLES, Style

Floats = NDArray[np.float64]


@pytest.fixture(scope="session")
def heart_mv() -> Floats:
    """Twelve leads of a made-up heart, 10 s at `RATE_HZ`."""
    signals = synth_signals("normal", seed=3)
    return np.asarray(resample_poly(signals.mv, round(RATE_HZ / signals.sampling_rate_hz), 1, axis=1))


@pytest.fixture(scope="session")
def plain_style() -> Style:
    """Three rows of four, a strip, pulses at the right."""
    return STYLES[0]


@pytest.fixture(scope="session")
def plain_page(heart_mv: Floats, plain_style: Style) -> DrawnPage:
    """A clean export of `plain_style`."""
    return draw_page(plain_style, heart_mv, RATE_HZ)


@pytest.fixture(scope="session")
def plain_read(plain_page: DrawnPage) -> Digitized:
    """What the reader makes of `plain_page`."""
    return digitize(plain_page.gray)
