"""What networks said about pages they had not seen: the one source of every figure. Knows no network.

`repeats` networks of one kind, each a cross-validation of its own, answered each page once.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.errors import RunError

__all__ = ["OutOfFold", "load_out_of_fold", "pack_out_of_fold"]


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


def pack_out_of_fold(out_of_fold: OutOfFold) -> bytes:
    """Give the content of an `.npz` file."""
    arrays = {name: getattr(out_of_fold, name) for name in _ARRAYS if getattr(out_of_fold, name) is not None}
    texts = json.dumps({"groups": out_of_fold.groups, "pages": out_of_fold.pages})
    content = io.BytesIO()
    np.savez_compressed(content, texts=np.array(texts), **arrays)
    return content.getvalue()


def load_out_of_fold(path: Path) -> OutOfFold:
    """Read a file of what `pack_out_of_fold` gave.

    Raises:
        RunError: it is not there, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in _ARRAYS if name in stored}
            texts = json.loads(str(stored["texts"]))
        return OutOfFold(groups=tuple(texts["groups"]), pages=tuple(texts["pages"]), **arrays)
    except FileNotFoundError:
        raise RunError(f"{path.name} is not there; run the cross-validation first") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path.name} does not hold out-of-fold answers; run the cross-validation again") from error


_ARRAYS = ("labels", "folds", "page_logits", "lead_logits", "logits_again")
