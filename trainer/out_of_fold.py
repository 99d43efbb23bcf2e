"""What networks said about pages they had not seen: the one source of every figure.

`repeats` networks of one kind, each a cross-validation of its own, answered each page once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.errors import RunError

__all__ = ["OutOfFold"]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Answers to every page by networks that never saw the page's group.

    Raises:
        RunError: shapes disagree, a logit is not finite, or a repeat has a group in two folds.
    """

    labels: NDArray[np.int64]
    """(pages,) places in `CLASS_NAMES`."""
    groups: tuple[str, ...]
    """(pages,) record ids."""
    pages: tuple[dict[str, str], ...]
    """(pages,) class, name, sha256 and group."""
    folds: NDArray[np.int64]
    """(repeats, pages) the fold that held the page out."""
    page_logits: NDArray[np.float64]
    """(repeats, pages, classes) log probabilities before calibration."""
    lead_logits: NDArray[np.float64] | None = None
    """(repeats, pages, leads, classes), leads in page order."""
    logits_again: NDArray[np.float64] | None = None
    """(repeats, pages, classes) about the same curves at the reference heart rate."""

    def __post_init__(self) -> None:
        counts = {len(self.labels), len(self.groups), len(self.pages), *(a.shape[1] for a in self._by_repeat())}
        repeats = {array.shape[0] for array in self._by_repeat()}
        if len(counts) > 1 or len(repeats) > 1:
            raise RunError(
                f"arrays of {sorted(counts)} pages and {sorted(repeats)} repeats; they must be one number each"
            )
        if not all(np.isfinite(array).all() for array in self._by_repeat()):
            raise RunError("a logit is not finite; floor the probabilities before taking the logarithm")
        for fold in self.folds:
            if len(set(zip(self.groups, fold.tolist(), strict=True))) > len(set(self.groups)):
                raise RunError(
                    "a group stands in two folds of one repeat, so that its pages were seen; split by groups"
                )

    def _by_repeat(self) -> list[NDArray[np.generic]]:
        arrays = (self.folds, self.page_logits, self.lead_logits, self.logits_again)
        return [array for array in arrays if array is not None]

    @property
    def mean_logits(self) -> NDArray[np.float64]:
        """(pages, classes) mean over repeats: what the served ensemble takes the softmax of."""
        return np.asarray(self.page_logits.mean(axis=0))
