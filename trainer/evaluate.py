"""The evidence: every candidate under one protocol, each page judged by networks that never saw its group.

What is compared is the mean over repeats, calibrated across folds, as the served ensemble is. Beside it stands the
published protocol, so that a reader sees what copies are worth.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from scipy.special import softmax

from trainer.calibrate import calibrate, single_network_metrics
from trainer.candidates import CANDIDATES
from trainer.classes import CLASS_NAMES
from trainer.config import CLASS_NETWORK, PROTOCOLS, ClassNetworkConfig, Protocol
from trainer.cross_validation import CrossValidation, Design
from trainer.dataset import LabelledPage
from trainer.errors import RunError
from trainer.metrics import page_metrics
from trainer.run import write_whole
from trainer.tables import class_table, confusion_table, figures_table

__all__ = ["Evaluation", "report_text"]

_PUBLISHED = (CLASS_NETWORK, "cnn", "crnn")

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Evaluation:
    """Both protocols over one set of pages, in folders of their own under ``runs``.

    ``quick`` deals the pages once, trains the class network for fewer epochs and leaves out what is slow.
    """

    pages: Sequence[LabelledPage]
    runs: Path
    repeats: int = 3
    quick: bool = False

    def run(self, names: Sequence[str] | None = None, protocols: Sequence[Protocol] = PROTOCOLS) -> None:
        """Fit what is not yet fitted of the candidates ``names``, or of all, under ``protocols``.

        Raises:
            RunError: there is no candidate of that name.
        """
        if unknown := set(names or ()) - set(CANDIDATES):
            raise RunError(f"no candidate is called {', '.join(sorted(unknown))}; there are {', '.join(CANDIDATES)}")
        for protocol in protocols:
            cross_validation = self.leak_free if protocol == "leak-free" else self.published
            compared = tuple(CANDIDATES) if protocol == "leak-free" else _PUBLISHED
            for name in compared:
                if name in (names or compared) and not (self.quick and CANDIDATES[name].slow):
                    cross_validation.run(name, partial(CANDIDATES[name].build, self.class_config))

    @cached_property
    def leak_free(self) -> CrossValidation:
        """Distinct pages, no record in two folds."""
        design = Design("leak-free", repeats=1 if self.quick else self.repeats)
        return CrossValidation(self.pages, design, self._folder("leak-free"))

    @cached_property
    def published(self) -> CrossValidation:
        """Every file by itself; one fold is enough to show what copies are worth."""
        design = Design("published", repeats=1, folds_fitted=1)
        return CrossValidation(self.pages, design, self._folder("published"))

    @property
    def class_config(self) -> ClassNetworkConfig:
        """How the class network is trained."""
        return ClassNetworkConfig.quick() if self.quick else ClassNetworkConfig()

    def report(self) -> dict[str, Any]:
        """Compare all that is finished: ``rows`` and ``published_rows`` as `trainer.tables.figures_table` takes them.

        Also written, with its text, into the leak-free folder.
        """
        cross_validation = self.leak_free
        report = {"rows": _leak_free_rows(cross_validation), "published_rows": _published_rows(self.published)}
        write_whole(cross_validation.folder / "report.json", (json.dumps(report, indent=1) + "\n").encode())
        write_whole(cross_validation.folder / "report.md", report_text(report).encode())
        return report

    def _folder(self, protocol: str) -> Path:
        return self.runs / f"evaluation-{protocol}{'-quick' if self.quick else ''}"


def report_text(report: dict[str, Any]) -> str:
    """Say a report in Markdown."""
    first = report["rows"][0]
    parts = [
        "# Leak-free: distinct pages, repeated grouped cross-validation",
        "Mean of the repeats' networks, none of which saw the page's record; 95 % intervals over records in brackets.",
        figures_table(report["rows"]),
        f"{first['name']}, by class:",
        class_table(first["figures"]),
        confusion_table(first["figures"]),
        "# Published: files split at random, copies on both sides",
        figures_table(report["published_rows"]) if report["published_rows"] else "Not run.",
    ]
    return "\n\n".join(parts) + "\n"


def _leak_free_rows(cross_validation: CrossValidation) -> Rows:
    rows: Rows = []
    for name, info in CANDIDATES.items():
        if not cross_validation.finished_repeats(name):
            continue
        answers = cross_validation.out_of_fold(name)
        calibrated = calibrate(answers)
        figures = page_metrics(answers.labels, calibrated.cross_fitted, answers.groups, CLASS_NAMES)
        rows.append({"name": info.title, "repeats": len(answers.folds), "figures": figures})
        if name == CLASS_NETWORK and len(answers.folds) > 1:
            alone = single_network_metrics(answers, biased=calibrated.biased)
            rows.append({"name": f"{info.title}, one alone", "repeats": 1, "figures": alone})
    return rows


def _published_rows(cross_validation: CrossValidation) -> Rows:
    rows: Rows = []
    for name in _PUBLISHED:
        if cross_validation.finished(name):
            answers = cross_validation.out_of_fold(name)
            probabilities = softmax(answers.mean_logits, axis=1)
            figures = page_metrics(answers.labels, probabilities, answers.groups, CLASS_NAMES)
            rows.append({"name": CANDIDATES[name].title, "repeats": 1, "figures": figures})
    return rows
