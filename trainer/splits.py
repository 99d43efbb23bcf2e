"""Which page trains, which validates, which tests. Knows no pixel.

Two protocols: ``published`` is what the literature does with this data set (random over all files, copies and all),
``leak-free`` is what a figure may be believed under.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from trainer.classes import CLASS_NAMES
from trainer.config import Protocol
from trainer.dataset import LabelledPage
from trainer.errors import DatasetError

__all__ = ["SPLITS", "Split", "split_pages"]

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

_TRAIN_SHARE, _VALIDATION_SHARE = 0.70, 0.15
_TWENTIETHS = 20
_TEST_TWENTIETHS, _VALIDATION_TWENTIETHS = 3, 3


def split_pages(pages: Sequence[LabelledPage], protocol: Protocol, seed: int) -> dict[Split, list[LabelledPage]]:
    """Divide ``pages`` 70/15/15, reproducibly for one ``seed``; each part keeps the order of ``pages``.

    Raises:
        DatasetError: leak-free: the same image stands under two classes, or there are too few groups to divide.
    """
    if protocol == "published":
        return _split_published(pages, seed)
    return _split_leak_free(_without_copies(pages), seed)


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
    groups = [page.group for page in pages]
    if len(set(groups)) < _TWENTIETHS:
        raise DatasetError(f"{len(set(groups))} groups are too few to divide; at least {_TWENTIETHS} are needed")
    folds = StratifiedGroupKFold(n_splits=_TWENTIETHS, shuffle=True, random_state=seed)
    twentieth = np.empty(len(pages), int)
    for number, (_, members) in enumerate(folds.split(groups, [page.class_name for page in pages], groups)):
        twentieth[members] = number
    parts: dict[Split, list[LabelledPage]] = {split: [] for split in SPLITS}
    for page, number in zip(pages, twentieth, strict=True):
        if number < _TEST_TWENTIETHS:
            parts["test"].append(page)
        elif number < _TEST_TWENTIETHS + _VALIDATION_TWENTIETHS:
            parts["validation"].append(page)
        else:
            parts["train"].append(page)
    return parts


def _without_copies(pages: Sequence[LabelledPage]) -> list[LabelledPage]:
    first: dict[str, LabelledPage] = {}
    for page in pages:
        seen = first.setdefault(page.sha256, page)
        if seen.class_name != page.class_name:
            raise DatasetError(f"{seen.path.name} and {page.path.name} are one image under two classes; remove one")
    return list(first.values())
