"""What is known about a fused bundle before it is published: answers out of fold, and what follows from them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.manifest import DATA_SET_FILE, OTHER_HOSPITALS_FILE
from model_registry.policy import SitePolicy
from trainer.calibrate import fit_temperature
from trainer.classes import CLASS_NAMES
from trainer.config import CLASS_NETWORK
from trainer.errors import RunError
from trainer.evaluate import Evaluation
from trainer.findings import CODES
from trainer.findings_run import FindingsRun
from trainer.findings_training import PRINTS, printed
from trainer.fuse import Fusion
from trainer.intervals import groups_of, share_ci95, wilson
from trainer.known_answers import KnownAnswers
from trainer.members import Weights, mean_page_logits, train_members
from trainer.metrics import page_metrics
from trainer.policy import Choice, choose, cross_fitted
from trainer.rates import at_reference_rate, heart_rates
from trainer.readers import ReaderAnswers
from trainer.signals import recording_sha256
from trainer.statements import CLASS_STATEMENTS
from trainer.thresholds import PolicyGoals
from trainer.validation.decisions import GraphAnswers, by_leading
from trainer.validation.figures import Answers, Labels, external_figures
from trainer.validation.inputs import Inputs
from trainer.validation.site_policy import policy_of_site

__all__ = ["FusionEvidence"]


class FusionEvidence:
    """Both readers' answers about pages and recordings that neither had seen, and the bundle chosen on them.

    About the data set's pages the class network answers out of fold and the findings network, which saw none of them,
    as it is served. About the findings network's recordings it is the other way round.
    """

    def __init__(self, evaluation: Evaluation, findings: FindingsRun, fusion: Fusion | None = None) -> None:
        """Take two finished runs.

        Raises:
            RunError: one of them is not finished.
        """
        if not evaluation.leak_free.finished(CLASS_NETWORK):
            raise RunError(f"{evaluation.leak_free.folder} holds no finished evaluation of the class network")
        self.evaluation, self.findings, self.fusion = evaluation, findings, fusion or Fusion()
        self.pages = evaluation.leak_free
        self.out_of_fold = self.pages.out_of_fold(CLASS_NETWORK)

    @cached_property
    def class_members(self) -> list[Weights]:
        """The served class networks, trained where they are missing."""
        folder = self.pages.folder / "members"
        return train_members(self.pages.page_set, self.pages.design.repeats, self.evaluation.class_config, folder)

    @cached_property
    def answers(self) -> ReaderAnswers:
        """Both readers about everything: the data set's pages first."""
        return ReaderAnswers.joined(self._about_pages(), self.about_recordings(PRINTS[0]))

    @cached_property
    def choice(self) -> Choice:
        """What is chosen on all of it: what goes into the bundle."""
        return choose(self.answers, self.fusion)

    @cached_property
    def crossed(self) -> Answers:
        """Each answer as decided by what was chosen without its fold: what every figure is given on."""
        return self._cross_fitted(self.answers)

    @cached_property
    def lead_temperature(self) -> float:
        """What calibrates the leads' own heads; a lead's class is its page's.

        Raises:
            RunError: the evaluation kept no answers by lead.
        """
        if self.out_of_fold.lead_logits is None:
            raise RunError("the evaluation kept no answers by lead; run the step evaluate again")
        by_lead = self.out_of_fold.lead_logits.mean(axis=0)
        pages, leads, classes = by_lead.shape
        return fit_temperature(by_lead.reshape(pages * leads, classes), np.repeat(self.out_of_fold.labels, leads))

    def row(self) -> dict[str, Any]:
        """The fused answer on the data set's pages, as `trainer.tables.figures_table` takes it."""
        inside = self.answers.inside
        figures = page_metrics(
            self.out_of_fold.labels, self.crossed.probabilities[inside], self.out_of_fold.groups, CLASS_NAMES
        )
        repeats = self.pages.design.repeats + self.findings.design.seeds
        return {"name": "class network and findings network, fused", "repeats": repeats, "figures": figures}

    def figures(self, *, inside: bool) -> dict[str, Any]:
        """Give `external_figures` of the data set's pages, or of the recordings elsewhere."""
        rows = self.answers.inside if inside else ~self.answers.inside
        return external_figures(_rows(self.crossed, rows), self.answers.chosen(rows).labels, self.choice.policy)

    def decision_figures(self) -> dict[str, Any]:
        """Say what the thresholds give on the data set's pages: ``as_fitted`` on these, and ``cross_fitted``."""
        views = {"as_fitted": self.choice.answers(self.answers), "cross_fitted": self.crossed}
        return {view: self._decision_figures(_rows(answers, self.answers.inside)) for view, answers in views.items()}

    def _decision_figures(self, answers: Answers) -> dict[str, Any]:
        labels, groups, reported = self.out_of_fold.labels, self.out_of_fold.groups, answers.reported
        right = answers.top == labels
        policy = self.choice.policy
        critical = np.zeros(len(labels), bool) if policy is None else labels == CLASS_NAMES.index(policy.critical_class)
        caught = (right | ~reported)[critical]
        return {
            "reported": int(reported.sum()),
            "accuracy": float(right[reported].mean()) if reported.any() else None,
            "accuracy_ci95": share_ci95(right[reported], groups_of(groups, reported)),
            "coverage": float(reported.mean()),
            "coverage_ci95": share_ci95(reported, groups),
            "critical_caught": float(caught.mean()) if caught.size else None,
            "critical_caught_ci95": wilson(int(caught.sum()), caught.size),
        }

    def wide_figures(self) -> dict[str, Any]:
        """Give `external_figures` of the recordings at 0.05 to 40 Hz with all leads at once."""
        wide = self.about_recordings(PRINTS[1])
        pages = self.answers.chosen(self.answers.inside)
        crossed = self._cross_fitted(ReaderAnswers.joined(pages, wide))
        elsewhere = np.arange(len(crossed.probabilities)) >= len(pages)
        return external_figures(_rows(crossed, elsewhere), wide.labels, self.choice.policy)

    def policies(self, model_sha256: str) -> dict[str, SitePolicy]:
        """Choose the site policies that the bundle brings, by file; one whose goals no thresholds keep is missing."""
        policy, inside = self.choice.policy, self.answers.inside
        if policy is None:
            return {}
        sites = (
            (OTHER_HOSPITALS_FILE, "other hospitals", "recordings", ~inside, PolicyGoals.outside_accuracy),
            (DATA_SET_FILE, "the data set's hospital", "pages", inside, PolicyGoals.accuracy),
        )
        chosen = {}
        for file, site, kind, rows, accuracy in sites:
            asks = policy.model_copy(update={"target_accuracy": accuracy})
            try:
                chosen[file] = policy_of_site(self._asked(rows, kind), asks, site, model_sha256)
            except RunError as error:
                print(f"no policy for {site}: {error}", flush=True)
        return chosen

    def _asked(self, rows: NDArray[np.bool_], kind: str) -> GraphAnswers:
        """Give the answers out of fold about some rows, before any decision."""
        crossed, answers = _rows(self.crossed, rows), self.answers.chosen(rows)
        inputs = Inputs(
            name=kind,
            kind=kind,
            ids=(),
            sha256=(),
            fingerprints=(),
            tensors=np.empty((len(answers), 0), np.float32),
            heart_rates_bpm=answers.heart_rates_bpm,
            doubts=((),) * len(answers),
            labels=answers.labels,
            refused={},
        )
        again = self.choice.probabilities(answers.class_logits_again, answers.findings_again)
        return GraphAnswers(by_leading(crossed.probabilities, crossed.readers), by_leading(*again), None, inputs)

    def known_answers(self) -> KnownAnswers:
        """Give the answers that the bundle keeps, by what they are about."""
        pages = [page["sha256"] for page in self.out_of_fold.pages]
        return KnownAnswers([*pages, *map(recording_sha256, self.findings.signals.signal_mv)], self.crossed)

    def _cross_fitted(self, answers: ReaderAnswers) -> Answers:
        """Give `cross_fitted`, with the findings' thresholds that the bundle has: a validation judges by these."""
        thresholds = dict(zip(CODES, self.choice.thresholds, strict=True))
        return replace(cross_fitted(answers, self.fusion), thresholds=thresholds)

    def _about_pages(self) -> ReaderAnswers:
        page_set, answers = self.pages.page_set, self.out_of_fold
        if answers.logits_again is None:
            raise RunError("the evaluation kept no answers at the reference rate; run the step evaluate again")
        names = [CLASS_NAMES[label] for label in answers.labels]
        labels = Labels(
            np.eye(len(CLASS_NAMES), dtype=bool)[answers.labels],
            tuple(CLASS_STATEMENTS[name] for name in names),
            answers.groups,
        )
        return ReaderAnswers(
            labels=labels,
            inside=np.ones(len(names), bool),
            folds=answers.folds[0],
            heart_rates_bpm=page_set.heart_rates_bpm,
            class_logits=answers.mean_logits,
            findings=self.findings.answer(page_set.traces),
            class_logits_again=np.asarray(answers.logits_again.mean(axis=0)),
            findings_again=self.findings.answer(page_set.traces_again),
        )

    def about_recordings(self, how: str) -> ReaderAnswers:
        """Both readers about the findings network's recordings, shown as ``how`` (one of `PRINTS`) says."""
        signals, traces = self.findings.signals, printed(self.findings.signals, how)
        rates = heart_rates(traces)
        again = at_reference_rate(traces, rates)
        return ReaderAnswers(
            labels=Labels(signals.classes, signals.statements, signals.patients),
            inside=np.zeros(len(signals), bool),
            folds=self.findings.folds,
            heart_rates_bpm=rates,
            class_logits=mean_page_logits(self.class_members, traces),
            findings=self.findings.out_of_fold(traces),
            class_logits_again=mean_page_logits(self.class_members, again),
            findings_again=self.findings.out_of_fold(again),
        )


def _rows(answers: Answers, rows: NDArray[np.bool_]) -> Answers:
    """Those of ``answers`` whose ``rows`` are true."""
    places: Sequence[int] = np.flatnonzero(rows).tolist()
    return Answers(
        probabilities=answers.probabilities[rows],
        reasons=tuple(answers.reasons[place] for place in places),
        heart_rates_bpm=answers.heart_rates_bpm[rows],
        readers=None if answers.readers is None else answers.readers[rows],
        findings=None if answers.findings is None else answers.findings[rows],
        thresholds=answers.thresholds,
    )
