"""How sure a share or a mean is, from few pages.

Pages of one record are not independent, so whole records are drawn again (percentile bootstrap over groups; Efron and
Tibshirani 1993, chapters 8 and 13). Every drawing is seeded: the same pages give the same interval.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

__all__ = ["DRAWS", "SEED", "group_weights", "groups_of", "mean_ci95", "percentiles", "share_ci95", "wilson"]

DRAWS = 2000
SEED = 0


def wilson(successes: int, trials: int) -> list[float] | None:
    """95 % interval (Wilson 1927) of a share of independent trials; None without trials, where nothing is known."""
    if not trials:
        return None
    interval = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def mean_ci95(values: NDArray[np.float64], groups: Sequence[str]) -> list[float] | None:
    """95 % interval over groups of the mean of ``values`` (pages,); None without pages."""
    if not values.size:
        return None
    weights = group_weights(groups)
    return percentiles(weights @ values / weights.sum(axis=1))


def share_ci95(hits: NDArray[np.bool_], groups: Sequence[str]) -> list[float] | None:
    """95 % interval over groups of the share of ``hits`` (pages,); None without pages.

    All hits or none: Wilson's, a group one trial, since drawing again would claim certainty.
    """
    if hits.size and (hits.all() or not hits.any()):
        trials = len(set(groups))
        return wilson(trials if hits.all() else 0, trials)
    return mean_ci95(hits.astype(float), groups)


def group_weights(groups: Sequence[str], draws: int = DRAWS) -> NDArray[np.float64]:
    """How often each page comes when as many groups as there are are drawn with replacement: (draws, pages)."""
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    times = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return times[:, place].astype(float)


def groups_of(groups: Sequence[str], chosen: NDArray[np.bool_]) -> list[str]:
    """Give the groups of the ``chosen`` pages (pages,)."""
    return [group for group, taken in zip(groups, chosen, strict=True) if taken]


def percentiles(drawn: NDArray[np.float64]) -> list[float] | None:
    """The middle 95 % of ``drawn`` (draws,); NaN, unknown, is left out; None where nothing is known."""
    known = drawn[~np.isnan(drawn)]
    return [float(edge) for edge in np.percentile(known, (2.5, 97.5))] if known.size else None
