"""What both readers said, out of fold, about the data set's pages and about recordings of other patients."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainer.findings_run import FindingsAnswers
from trainer.validation.figures import Labels

__all__ = ["ReaderAnswers"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReaderAnswers:
    """Logits of both readers about pages that neither was trained on, one row each."""

    labels: Labels
    inside: NDArray[np.bool_]
    """(pages,) whether the page is of the data set whose classes the class network learned."""
    folds: NDArray[np.intp]
    """(pages,) the fold in which thresholds for the page must not be chosen."""
    heart_rates_bpm: _Floats
    """(pages,); NaN where no rate was found."""
    class_logits: _Floats
    """(pages, classes) of the class network."""
    findings: FindingsAnswers
    """Of the findings network: (pages, findings) and (pages, classes)."""
    class_logits_again: _Floats
    """(pages, classes) about the same curves at `REFERENCE_RATE_BPM`; NaN where the rate is not known."""
    findings_again: FindingsAnswers

    def __len__(self) -> int:
        return len(self.folds)

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """What is drawn again together, (pages,): records of the data set, patients elsewhere."""
        return np.array(self.labels.patients)

    def chosen(self, rows: NDArray[np.bool_]) -> "ReaderAnswers":
        """Give the pages whose ``rows`` (pages,) are true."""
        places = np.flatnonzero(rows).tolist()
        return ReaderAnswers(
            labels=Labels(
                self.labels.classes[rows],
                tuple(self.labels.statements[place] for place in places),
                tuple(self.labels.patients[place] for place in places),
            ),
            inside=self.inside[rows],
            folds=self.folds[rows],
            heart_rates_bpm=self.heart_rates_bpm[rows],
            class_logits=self.class_logits[rows],
            findings=FindingsAnswers(*(array[rows] for array in self.findings)),
            class_logits_again=self.class_logits_again[rows],
            findings_again=FindingsAnswers(*(array[rows] for array in self.findings_again)),
        )

    @classmethod
    def joined(cls, one: "ReaderAnswers", other: "ReaderAnswers") -> "ReaderAnswers":
        """Put answers about two sets one after the other."""
        both = np.concatenate
        return cls(
            labels=Labels(
                both([one.labels.classes, other.labels.classes]),
                one.labels.statements + other.labels.statements,
                one.labels.patients + other.labels.patients,
            ),
            inside=both([one.inside, other.inside]),
            folds=both([one.folds, other.folds]),
            heart_rates_bpm=both([one.heart_rates_bpm, other.heart_rates_bpm]),
            class_logits=both([one.class_logits, other.class_logits]),
            findings=FindingsAnswers(*map(both, zip(one.findings, other.findings, strict=True))),
            class_logits_again=both([one.class_logits_again, other.class_logits_again]),
            findings_again=FindingsAnswers(*map(both, zip(one.findings_again, other.findings_again, strict=True))),
        )
