"""Repeated cross-validation: every page answered, each time, by a candidate that never saw its group.

A folder holds one of them, and each finished fold stands there as a file: a run that was cut off goes on where it was.

settings.json                      protocol, folds, repeats, preprocessing, and each page's class, hash and group
<candidate>/repeat_0_fold_3.npz    what the candidate said about the pages of that fold
tensorboard/                       how its networks learned, for TensorBoard
"""

import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product, takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_preproc.spec import MASKS_150, TRACES_50_HZ
from trainer.candidates import Candidate, Prediction
from trainer.classes import CLASS_NAMES
from trainer.config import Protocol
from trainer.dataset import LabelledPage
from trainer.errors import RunError
from trainer.out_of_fold import OutOfFold
from trainer.page_set import PageSet, read_page_set
from trainer.run import write_whole
from trainer.splits import distinct_pages, fold_numbers
from trainer.training_log import TrainingLog

__all__ = ["CrossValidation", "Design"]

_HISTORY = "history"
"""The one array of a `Prediction` that has no row for each page."""


@dataclass(frozen=True)
class Design:
    """How pages are dealt out."""

    protocol: Protocol
    """`leak-free`: distinct pages, a group in one fold only. `published`: every file by itself, copies and all."""
    folds: int = 5
    repeats: int = 3
    """Each deals the pages anew; its number is the seed."""
    folds_fitted: int = 5
    """How many folds of each repeat are fitted; the pages of the others are not judged."""


class CrossValidation:
    """One design over one set of pages, in one folder."""

    def __init__(self, pages: Sequence[LabelledPage], design: Design, folder: Path) -> None:
        """Deal the pages out, or take up what stands in ``folder``.

        Raises:
            RunError: the folder holds another design, other pages or another preprocessing.
            DatasetError: the pages cannot be dealt out.
        """
        self.design, self.folder = design, folder
        chosen = distinct_pages(pages) if design.protocol == "leak-free" else map(_ungrouped, pages)
        # By content, so that the deal does not depend on which copies of a page are there and what they are called.
        self.pages = tuple(sorted(chosen, key=lambda page: (page.class_name, page.sha256, page.name)))
        self.folds = np.stack([fold_numbers(self.pages, design.folds, seed) for seed in range(design.repeats)])
        folder.mkdir(parents=True, exist_ok=True)
        path, wanted = folder / "settings.json", json.dumps(self._settings(), indent=1) + "\n"
        if not path.exists():
            write_whole(path, wanted.encode())
        elif path.read_text() != wanted:
            raise RunError(f"{folder} holds an evaluation of other pages or settings; remove it or choose another")

    @cached_property
    def page_set(self) -> PageSet:
        """The pages, read; seconds to minutes, so only when a fold is still to be fitted."""
        return read_page_set(self.pages)

    def run(self, name: str, build: Callable[[], Candidate]) -> None:
        """Fit what is still to be fitted of a candidate."""
        fits = product(range(self.design.repeats), range(self.design.folds_fitted))
        todo = [(repeat, fold) for repeat, fold in fits if not self._path(name, repeat, fold).exists()]
        if todo:
            candidate = build()
            for repeat, fold in todo:
                self._fit(name, candidate, repeat, fold)

    def _fit(self, name: str, candidate: Candidate, repeat: int, fold: int) -> None:
        held_out = self.folds[repeat] == fold
        page_set, started_s = self.page_set, time.perf_counter()
        seed = repeat * self.design.folds + fold
        words = f"{name}, repeat {repeat + 1} of {self.design.repeats}, fold {fold + 1} of {self.design.folds}"
        with TrainingLog(self.folder / "tensorboard" / name / f"repeat_{repeat}_fold_{fold}", words) as log:
            answer = candidate.fit_predict(
                page_set, np.flatnonzero(~held_out), np.flatnonzero(held_out), seed, log.write
            )
        self._save(name, repeat, fold, answer)
        right = (answer.page_logits.argmax(axis=1) == page_set.labels[held_out]).mean()
        print(f"{words}: accuracy {right:.3f} ({time.perf_counter() - started_s:.0f} s)", flush=True)

    def finished_repeats(self, name: str) -> int:
        """How many repeats of a candidate stand in the folder, all folds of each; they are fitted one after another."""
        repeats, folds = range(self.design.repeats), range(self.design.folds_fitted)
        whole = [all(self._path(name, repeat, fold).exists() for fold in folds) for repeat in repeats]
        return len(list(takewhile(bool, whole)))

    def finished(self, name: str) -> bool:
        """Whether every repeat of a candidate stands in the folder."""
        return self.finished_repeats(name) == self.design.repeats

    def out_of_fold(self, name: str) -> OutOfFold:
        """Give all that a candidate said in its finished repeats; pages of folds that are not fitted are left out."""
        judged = np.flatnonzero((self.folds < self.design.folds_fitted).all(axis=0))
        repeats = [self._answers(name, repeat) for repeat in range(self.finished_repeats(name))]
        pages = [self.pages[row] for row in judged]
        return OutOfFold(
            labels=np.array([CLASS_NAMES.index(page.class_name) for page in pages]),
            groups=tuple(page.group for page in pages),
            pages=tuple(_row(page) for page in pages),
            folds=self.folds[: len(repeats), judged],
            **{key: np.stack([answers[key][judged] for answers in repeats]) for key in repeats[0]},
        )

    def histories(self, name: str) -> list[NDArray[np.float64]]:
        """Give how each network of a candidate's finished repeats learned, as `Prediction.history`, fold by fold.

        None at all where that was not watched in every fold.
        """
        fits = list(product(range(self.finished_repeats(name)), range(self.design.folds_fitted)))
        histories = []
        for repeat, fold in fits:
            with np.load(self._path(name, repeat, fold)) as stored:
                histories += [stored[_HISTORY]] if _HISTORY in stored else []
        return histories if len(histories) == len(fits) else []

    def _answers(self, name: str, repeat: int) -> dict[str, NDArray[np.float64]]:
        """Put one repeat's folds together: arrays of `Prediction`, zero where a fold was not fitted."""
        answers: dict[str, NDArray[np.float64]] = {}
        for fold in range(self.design.folds_fitted):
            with np.load(self._path(name, repeat, fold)) as stored:
                for key, value in stored.items():
                    if key == _HISTORY:
                        continue
                    whole = answers.setdefault(key, np.zeros((len(self.pages), *value.shape[1:])))
                    whole[self.folds[repeat] == fold] = value
        return answers

    def _path(self, name: str, repeat: int, fold: int) -> Path:
        return self.folder / name / f"repeat_{repeat}_fold_{fold}.npz"

    def _save(self, name: str, repeat: int, fold: int, answer: Prediction) -> None:
        content = io.BytesIO()
        np.savez_compressed(content, **{key: value for key, value in vars(answer).items() if value is not None})
        path = self._path(name, repeat, fold)
        path.parent.mkdir(exist_ok=True)
        write_whole(path, content.getvalue())

    def _settings(self) -> dict[str, object]:
        return {
            **asdict(self.design),
            "preprocessing": [MASKS_150.fingerprint, TRACES_50_HZ.fingerprint],
            "pages": [{key: value for key, value in _row(page).items() if key != "name"} for page in self.pages],
        }


def _row(page: LabelledPage) -> dict[str, str]:
    return {"class": page.class_name, "name": page.name, "sha256": page.sha256, "group": page.group}


def _ungrouped(page: LabelledPage) -> LabelledPage:
    """Make a file its own group, whatever it is a copy of: what the literature does."""
    return replace(page, group=f"file {page.class_name}/{page.name}")
