"""A decision policy chosen on one site's labelled pages, and what it gives on pages that it was not chosen on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.bundle import Bundle
from model_registry.policy import DecisionPolicy, Leading, OperatingPoint, ReaderRules, SitePolicy
from trainer.classes import CLASS_NAMES
from trainer.errors import RunError
from trainer.fuse import INFARCTIONS, NORMAL
from trainer.intervals import DRAWS, SEED
from trainer.known_answers import KnownAnswers
from trainer.thresholds import PolicyGoals, default_point, operating_points
from trainer.validation.decisions import GraphAnswers, answers
from trainer.validation.figures import Answers, Labels, external_figures
from trainer.validation.report_from import Candidates, report_from, report_from_by_kind
from trainer.validation.resampling import Resampling

__all__ = ["FEWEST_OF_A_KIND", "FEWEST_PAGES", "choose_site_policy", "policy_of_site"]

FEWEST_PAGES = 100
FEWEST_OF_A_KIND = 10
"""Pages of normal, of infarction and of other abnormality each."""
_FIGURES = ("failures", "rate_bands", "reported", "referred")
_FOLDS = 5
_SMALLEST_PROBABILITY = 1e-7
_NOT_AGAINST_FROM = 0.2
"""A reader that gives an answer less speaks against it."""
_OTHER_CLASSES = tuple(name for place, name in enumerate(CLASS_NAMES) if place not in (NORMAL, *INFARCTIONS))
_SIGN_WHERE_NORMAL = (0.1, 0.3)
_SIGNS_WHERE_OTHER = (0.03, 0.5)
"""By the class network, and by the findings network: the first refers the one fast, wide infarction of the data set."""
_FEWEST_BY_KIND = 1000
"""Pages for a threshold of each kind: with fewer, three would fit them by chance."""
_SIGN_BY_KIND = (0.03, 0.04, 0.05, 0.06)
"""By the findings network, where it leads and answers normal."""
_CLEAR_SIGN = 0.2
"""By the class network, there."""

_Rows = NDArray[np.bool_]


def choose_site_policy(
    asked: GraphAnswers, bundle: Bundle, site: str, accuracy: float | None = None, *, draws: int = DRAWS
) -> SitePolicy:
    """Choose which reader leads, what both must agree on, and from which probability on answers are reported.

    Another reader may lead if its log loss is lower with the whole 95 % interval over patients. Of these readers, and
    of the bundle's rules for both and a few more lenient ones, those are chosen that report most at the accuracy
    without reporting too many infarctions as normal. Where the findings network leads `_FEWEST_BY_KIND` rows, it may
    have a threshold for each kind of answer. The operating points are the site's where it has
    `FEWEST_OF_A_KIND` pages of the critical class alone, the bundle's otherwise. ``accuracy`` is asked of reported
    answers; None: what the bundle asks.

    What the bundle was trained on counts by its answers out of fold; only at the reference rate do the networks that
    are served answer.

    Raises:
        RunError: the bundle has no policy or was trained on a page without keeping its answer, there are too few pages,
            or no threshold reaches the accuracy.
    """
    base = bundle.manifest.decision
    if base is None:
        raise RunError(f"{bundle.manifest.ref} has no measured thresholds that a site policy could start from")
    trained_on, out_of_fold = asked.inputs.trained_on(bundle), 0
    if bundle.out_of_fold is not None:
        asked, out_of_fold = KnownAnswers.unpack(bundle.out_of_fold).in_place_of_asked(asked, trained_on)
    if seen := len(trained_on) - trained_on.count(None) - out_of_fold:
        raise RunError(f"the bundle was trained on {seen} of these {asked.inputs.kind}: choose a policy on others")
    labels = asked.inputs.labels
    _refuse_few(labels, asked.inputs.kind)
    base = base if accuracy is None else base.model_copy(update={"target_accuracy": accuracy})
    return policy_of_site(asked, base, site, bundle.manifest.model_sha256, draws=draws)


def policy_of_site(
    asked: GraphAnswers, base: DecisionPolicy, site: str, model_sha256: str, *, draws: int = DRAWS
) -> SitePolicy:
    """As `choose_site_policy`, of any number of answers that are out of fold already.

    ``base`` is the bundle's policy, with the accuracy that is asked for.
    """
    fit, labels = _Fit(asked, base, draws), asked.inputs.labels
    decision, crossed = fit.decision(), fit.figures
    return SitePolicy(
        site=site,
        created_at=datetime.now(UTC),
        model_sha256=model_sha256,
        decision=decision,
        figures={
            "kind": asked.inputs.kind,
            "recordings": crossed["recordings"],
            "log_loss": {name: float(fit.losses[name][labels.judged].mean()) for name in fit.losses},
            "operating_points_of": "site" if fit.enough_critical(labels.judged, decision.leading) else "bundle",
            "cross_fitted": {name: crossed[name] for name in _FIGURES}
            | {"ece_of_normal": {name: crossed["calibration"]["normal"][name] for name in ("ece", "ece_ci95")}},
        },
    )


def _refuse_few(labels: Labels, kind: str) -> None:
    other = labels.judged & ~labels.normal & ~labels.infarction
    counts = {"normal": labels.normal, "infarction": labels.infarction, "other abnormality": other}
    judged, numbers = int(labels.judged.sum()), {name: int(rows.sum()) for name, rows in counts.items()}
    words = ", ".join(f"{number} {name}" for name, number in numbers.items())
    if judged < FEWEST_PAGES:
        raise RunError(f"{judged} judged {kind} ({words}); a site policy needs at least {FEWEST_PAGES}: label more")
    if min(numbers.values()) < FEWEST_OF_A_KIND:
        raise RunError(f"{words}; a site policy needs at least {FEWEST_OF_A_KIND} {kind} of each: label more")


@dataclass(frozen=True, eq=False)
class _Fit:
    """Choosing a policy on some of the rows and judging it on others."""

    asked: GraphAnswers
    base: DecisionPolicy
    draws: int

    def decision(self) -> DecisionPolicy:
        """Choose on all rows; the figures are cross-fitted ones.

        Raises:
            RunError: no threshold reaches the accuracy.
        """
        fitted, accuracy = self.fitted, self.base.target_accuracy
        if fitted is None:
            raise RunError(
                f"no threshold reports answers of {self.labels.judged.sum()} {self.asked.inputs.kind} with the "
                f"accuracy {accuracy:.3f}; ask for less with --accuracy, or leave every answer to a person"
            )
        reported = self.figures["reported"]
        if not reported["accuracy"]["of"]:
            raise RunError(f"cross-fitted, nothing is reported at the accuracy {accuracy:.3f}; ask for less")
        figures = {
            "accuracy": reported["accuracy"]["share"],
            "accuracy_ci95": tuple(reported["accuracy"]["share_ci95"]),
            "coverage": reported["coverage"]["share"],
        }
        return DecisionPolicy.model_validate(fitted.model_copy(update=figures).model_dump())

    @property
    def labels(self) -> Labels:
        """What the rows show."""
        return self.asked.inputs.labels

    @cached_property
    def fitted(self) -> DecisionPolicy | None:
        """The policy chosen on all rows."""
        return self.policy(self.labels.judged)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """Figures of the cross-fitted answers."""
        return external_figures(self.crossed, self.labels, self.fitted, draws=self.draws)

    @property
    def losses(self) -> dict[Leading, NDArray[np.float64]]:
        """Log loss (rows,) of each reader, of the classes that are right; in nat."""
        return {
            leading: -np.log(
                np.maximum((probabilities * self.labels.judging(leading).classes).sum(axis=1), _SMALLEST_PROBABILITY)
            )
            for leading, probabilities in self.asked.by_leading.items()
        }

    def policy(self, rows: _Rows) -> DecisionPolicy | None:
        """Choose on ``rows``; None: no threshold reaches the accuracy."""
        leaders = self._leaders(rows)
        trials = [self._trial(rows, leading, rules) for leading in leaders for rules in self._rules()]
        if "findings_network" in leaders and np.count_nonzero(rows) >= _FEWEST_BY_KIND:
            trials += [self._trial(rows, "findings_network", rules, by_kind=True) for rules in self._rules_of_signs()]
        return max(trials, key=lambda trial: trial[1])[0]  # the first of equals: the bundle's own

    def _trial(
        self, rows: _Rows, leading: Leading, rules: ReaderRules | None, *, by_kind: bool = False
    ) -> tuple[DecisionPolicy | None, int]:
        """Give the policy under which this reader leads by these rules, and how many of ``rows`` it reports."""
        update: dict[str, Any] = {"leading": leading, "readers": rules, "report_from": 0.0}
        if self.enough_critical(rows, leading):
            points = self._points(rows, leading)
            sensitivity = default_point(points, PolicyGoals()).sensitivity
            update |= {"operating_points": points, "default_sensitivity": sensitivity}
        trial, labels = self.base.model_copy(update=update), self.labels.judging(leading)
        decided = answers(self.asked, trial)
        right = np.take_along_axis(labels.classes, decided.top[:, np.newaxis], axis=1)[:, 0]
        missed = (decided.top == NORMAL) & labels.infarction
        every = Candidates(decided.top, decided.probabilities.max(axis=1), right, missed)
        candidates = every.where(rows & decided.reported)
        most_missed = PolicyGoals.infarction_as_normal * np.count_nonzero(rows & labels.infarction)
        least = (report_from_by_kind if by_kind else report_from)(candidates, self.base.target_accuracy, most_missed)
        if least is None:
            return None, 0
        policy = trial.model_copy(update={"report_from": least})
        by_class = np.array([policy.reported_from(name) for name in CLASS_NAMES])
        return policy, int((candidates.probability >= by_class[candidates.top]).sum())

    def _rules(self) -> list[ReaderRules | None]:
        """Give the bundle's rules for readers, then rules that ask of each reader only not to speak against it."""
        rules = self.base.readers
        if rules is None:
            return [None]
        lenient = dict.fromkeys(CLASS_NAMES, _NOT_AGAINST_FROM)
        by_class_network, by_findings_network = (dict.fromkeys(_OTHER_CLASSES, sign) for sign in _SIGNS_WHERE_OTHER)
        update = {"class_network_from": lenient, "findings_network_from": lenient}
        update |= {"class_network_sign_from": by_class_network}
        return [
            rules,
            *(
                rules.model_copy(
                    update=update | {"infarction_sign_from": by_findings_network | {rules.normal_class: sign}}
                )
                for sign in _SIGN_WHERE_NORMAL
            ),
        ]

    def _rules_of_signs(self) -> list[ReaderRules]:
        """Give rules that ask of the class network only to see no clear infarction where the answer is normal."""
        rules = self.base.readers
        if rules is None:
            return []
        nothing = dict.fromkeys(CLASS_NAMES, 0.0)
        update = {"class_network_from": nothing, "findings_network_from": nothing}
        update |= {"class_network_sign_from": {rules.normal_class: _CLEAR_SIGN}}
        return [
            rules.model_copy(update=update | {"infarction_sign_from": {rules.normal_class: sign}})
            for sign in _SIGN_BY_KIND
        ]

    @cached_property
    def crossed(self) -> Answers:
        """Answers to each fold of patients by the policy that was chosen on the other folds."""
        labels = self.labels
        folds = _folds(labels.patients)
        probabilities = self.asked.by_leading[self.base.leading].copy()
        reasons: list[tuple[str, ...]] = [("uncertain",)] * len(folds)
        for fold in range(_FOLDS):
            policy = self.policy(labels.judged & (folds != fold))
            if policy is not None:
                decided = answers(self.asked, policy)
                for row in np.flatnonzero(folds == fold):
                    probabilities[row], reasons[row] = decided.probabilities[row], decided.reasons[row]
        return Answers(
            probabilities, tuple(reasons), self.asked.inputs.heart_rates_bpm, self.asked.readers, self.asked.findings
        )

    def enough_critical(self, rows: _Rows, leading: Leading) -> bool:
        """Say whether ``rows`` give operating points of their own."""
        return int((rows & self._critical(leading)).sum()) >= FEWEST_OF_A_KIND

    def _critical(self, leading: Leading) -> _Rows:
        """Rows that can only be of the critical class."""
        classes = self.labels.judging(leading).classes
        alone: _Rows = classes[:, CLASS_NAMES.index(self.base.critical_class)] & (classes.sum(axis=1) == 1)
        return alone

    def _leaders(self, rows: _Rows) -> list[Leading]:
        """Give the bundle's choice, then readers with a lower log loss, the whole 95 % interval over patients."""
        losses = {leading: loss[rows] for leading, loss in self.losses.items()}
        draw = Resampling(np.array(self.labels.patients)[rows].tolist(), self.draws)
        better = [name for name in losses if draw.lower(losses[name], losses[self.base.leading])]
        return [self.base.leading, *better]

    def _points(self, rows: _Rows, leading: Leading) -> Sequence[OperatingPoint]:
        place, classes = CLASS_NAMES.index(self.base.critical_class), self.labels.judging(leading).classes
        critical = self._critical(leading)
        clear = rows & (critical | ~classes[:, place])
        return operating_points(critical[clear], self.asked.by_leading[leading][clear, place])


def _folds(patients: Sequence[str]) -> NDArray[np.int64]:
    """Deal whole patients into folds: (rows,)."""
    names, place = np.unique(np.asarray(patients), return_inverse=True)
    return np.asarray(np.random.default_rng(SEED).permutation(len(names))[place] % _FOLDS)
