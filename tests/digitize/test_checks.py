"""Which lead a rhythm strip repeats."""

import numpy as np
from numpy.typing import NDArray

from digitize.checks import repeated_lead
from digitize.names import NAMES
from digitize.sampling import RATE_HZ

Floats = NDArray[np.float64]


def leads_of(heart_mv: Floats) -> NDArray[np.float32]:
    """What three rows of four show of a heart."""
    leads = np.full(heart_mv.shape, np.nan, np.float32)
    for index in range(len(NAMES)):
        shown = slice(round(2.5 * RATE_HZ) * (index // 3), round(2.5 * RATE_HZ) * (index // 3 + 1))
        leads[index, shown] = heart_mv[index, shown]
    return leads


def test_strip_is_known_by_the_lead_that_it_repeats(heart_mv: Floats) -> None:
    leads = leads_of(heart_mv)
    noise = np.random.default_rng(0).normal(0, 0.005, heart_mv.shape[1])
    for name in ("II", "V1", "V5"):
        strip = (heart_mv[NAMES.index(name)] + noise).astype(np.float32)
        assert repeated_lead(strip, leads, RATE_HZ) == name


def test_strip_of_another_heart_repeats_no_lead(heart_mv: Floats) -> None:
    later = np.roll(heart_mv[1], round(0.3 * RATE_HZ)).astype(np.float32)
    assert repeated_lead(later, leads_of(heart_mv), RATE_HZ) is None


def test_strip_like_two_leads_is_not_known(heart_mv: Floats) -> None:
    heart_mv = heart_mv.copy()
    heart_mv[0] = heart_mv[1]
    assert repeated_lead(heart_mv[1].astype(np.float32), leads_of(heart_mv), RATE_HZ) is None
