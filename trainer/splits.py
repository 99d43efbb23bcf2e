"""Which page trains, which validates, which tests.

Two protocols: ``published`` is what the literature does with this data set (random over all files, copies and all),
``leak-free`` is what a figure may be believed under.
"""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from trainer.classes import CLASS_NAMES
from trainer.config import Protocol
from trainer.dataset import LabelledPage
from trainer.errors import DatasetError

__all__ = ["SPLITS", "Split", "distinct_pages", "fold_numbers", "split_pages"]

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

_TRAIN_SHARE, _VALIDATION_SHARE = 0.70, 0.15
_TWENTIETHS = 20
_TEST_TWENTIETHS, _VALIDATION_TWENTIETHS = 3, 3


def split_pages(pages: Sequence[LabelledPage], protocol: Protocol, seed: int) -> dict[Split, list[LabelledPage]]:
    """Divide ``pages`` 70/15/15, reproducibly for one ``seed``; each part keeps the order of ``pages``.

    Raises:
        DatasetError: the pages are too few, or, leak-free, the same image stands under two classes.
    """
    parts = _split_published(pages, seed) if protocol == "published" else _split_leak_free(distinct_pages(pages), seed)
    if empty := [split for split in SPLITS if not parts[split]]:
        raise DatasetError(f"{len(pages)} pages are too few to divide: none is left for {' and '.join(empty)}")
    return parts


def _split_published(pages: Sequence[LabelledPage], seed: int) -> dict[Split, list[LabelledPage]]:
    rng = np.random.default_rng(seed)
    side: dict[int, Split] = {}
    for class_name in CLASS_NAMES:
        members = rng.permutation([i for i, page in enumerate(pages) if page.class_name == class_name])
        train_end = round(_TRAIN_SHARE * len(members))
        validation_end = train_end + round(_VALIDATION_SHARE * len(members))
        for place, index in enumerate(members):
            side[index] = "train" if place < train_end else "validation" if place < validation_end else "test"
    return {split: [page for i, page in enumerate(pages) if side[i] == split] for split in SPLITS}


def _split_leak_free(pages: Sequence[LabelledPage], seed: int) -> dict[Split, list[LabelledPage]]:
    """Stratified twentieths of whole groups: three to test, three to validate, the rest to train."""
    parts: dict[Split, list[LabelledPage]] = {split: [] for split in SPLITS}
    for page, number in zip(pages, fold_numbers(pages, _TWENTIETHS, seed), strict=True):
        if number < _TEST_TWENTIETHS:
            parts["test"].append(page)
        elif number < _TEST_TWENTIETHS + _VALIDATION_TWENTIETHS:
            parts["validation"].append(page)
        else:
            parts["train"].append(page)
    return parts


def fold_numbers(pages: Sequence[LabelledPage], folds: int, seed: int) -> NDArray[np.intp]:
    """Deal ``pages`` into ``folds``, every class evenly and no group into two: the fold of each page, (pages,).

    Raises:
        DatasetError: a class has fewer pages, or there are fewer groups, than folds.
    """
    classes, groups = [page.class_name for page in pages], [page.group for page in pages]
    rarest, members = min(Counter(classes).items(), key=itemgetter(1))
    for count, what in ((len(set(groups)), "groups"), (members, f"pages of {rarest}")):
        if count < folds:
            raise DatasetError(f"{count} {what} are too few for {folds} folds")
    numbers = np.empty(len(pages), np.intp)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    for number, (_, chosen) in enumerate(splitter.split(groups, classes, groups)):
        numbers[chosen] = number
    return numbers


def distinct_pages(pages: Sequence[LabelledPage]) -> list[LabelledPage]:
    """Keep the first of each image.

    Raises:
        DatasetError: the same image stands under two classes.
    """
    first: dict[str, LabelledPage] = {}
    for page in pages:
        seen = first.setdefault(page.sha256, page)
        if seen.class_name != page.class_name:
            raise DatasetError(f"{seen.path.name} and {page.path.name} are one image under two classes; remove one")
    return list(first.values())
