"""From a finished leak-free evaluation to the published fusion bundle.

The served ensemble has one member a repeat, each trained on every distinct page; temperature, bias and thresholds are
those of the out-of-fold answers, which came from networks trained in the same way on four fifths of the records.
"""

import json
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.golden import GOLDEN_FILE, record_golden
from model_registry.manifest import (
    CARD_FILE,
    EMBEDDING_DISTANCE,
    HISTORY_FILE,
    LEAD_PROBABILITIES,
    MODEL_FILE,
    PAGE_PROBABILITIES,
    TRAINING_PAGES_FILE,
    BundleDraft,
    TensorSpec,
)
from model_registry.policy import DecisionPolicy
from model_registry.registry import Registry
from shared_preproc.spec import TRACES_50_HZ
from trainer.audit import audit
from trainer.calibrate import Calibrated, calibrate, fit_temperature
from trainer.card import CardFacts, build_card, card_text, failure_gallery
from trainer.classes import CLASS_NAMES
from trainer.config import FUSION
from trainer.cross_validation import CrossValidation
from trainer.errors import RunError
from trainer.evaluate import Evaluation
from trainer.export import LIBRARIES, PARITY_LIMIT, PARITY_PAGES, run_graph
from trainer.figures import draw_card
from trainer.fusion_graph import TRACES, fusion_graph
from trainer.history import history_file
from trainer.members import Member, mean_page_logits, train_members
from trainer.metrics import SCALARS
from trainer.out_of_fold import OutOfFold, pack_out_of_fold
from trainer.policy import choose_policy
from trainer.referrals import cross_fitted_referrals, policy_figures, reported_pages

__all__ = ["OUT_OF_FOLD_FILE", "publish_fusion"]

OUT_OF_FOLD_FILE = "out-of-fold.npz"
"""Among a bundle's files: the answers that its figures, its calibration and its thresholds come from."""

_PROTOCOL = (
    "Distinct pages only, five folds dealt anew in each repeat, every class evenly, no record in two folds.",
    "Each page is answered by the mean of as many networks as there are repeats, none of which saw its record;"
    " the served ensemble has as many members, each trained on every page.",
    "Calibration and thresholds of a page are fitted without its fold.",
    "Intervals come from drawing records, not pages, 2000 times.",
)
_PUBLISHED_WORDS = (
    "The literature splits files at random, so that copies of one page stand on both sides.",
    "One fold of five, not calibrated: what the same networks seem to reach then.",
)

_HISTORY_WORDS = (
    "The networks of the cross-validation, one a fold of each repeat: training is on their own pages, validation on the"
    " fold that was held out. The served networks are trained in the same way, but on every page, so that none is left"
    " to validate them on. Loss is the mean cross-entropy of a page in nats, accuracy the share of pages; both are"
    " measured after each epoch, on the pages as they are."
)


def publish_fusion(evaluation: Evaluation, registry: Registry, name: str) -> str:
    """Train the members that are still missing, join, calibrate, check, describe and publish them.

    Gives the bundle's ``name/version``.

    Raises:
        RunError: the evaluation of the fusion network is not finished, or ONNX and Keras disagree.
        RegistryError: the registry refuses the bundle.
    """
    pages = evaluation.leak_free
    if not pages.finished(FUSION):
        raise RunError(f"{pages.folder} holds no finished evaluation of {FUSION}; run the step evaluate")
    evidence = _Evidence(evaluation)
    folder = pages.folder / "members"
    members = train_members(pages.page_set, pages.design.repeats, evaluation.fusion_config, folder)
    graph = fusion_graph(members, evidence.calibrated.calibration, evidence.lead_temperature)
    parity = _parity(graph, members, evidence.calibrated, pages.page_set.traces)
    card = _card(name, evidence)
    files = {
        MODEL_FILE: graph,
        GOLDEN_FILE: record_golden(TRACES_50_HZ, lambda tensor: run_graph(graph, tensor)[1]),
        CARD_FILE: (json.dumps(card, indent=1) + "\n").encode(),
        "card.md": card_text(card).encode(),
        TRAINING_PAGES_FILE: "".join(sorted(f"{page.sha256}\n" for page in pages.pages)).encode(),
    }
    files[OUT_OF_FOLD_FILE] = pack_out_of_fold(_anonymous(evidence.answers))
    files |= _history(pages)
    files |= {path.name: path.read_bytes() for path in draw_card(evidence.rows[0]["figures"], folder)}
    return registry.publish(_draft(name, evidence, parity), files)


class _Evidence:
    """All that was measured out of fold, and what follows from it."""

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.answers = evaluation.leak_free.out_of_fold(FUSION)
        self.calibrated = calibrate(self.answers)
        self.lead_temperature = _lead_temperature(self.answers)
        self.policy, self.policy_figures = _policy(self.answers, self.calibrated)
        report = evaluation.report()
        self.rows, self.published_rows = report["rows"], report["published_rows"]


def _policy(answers: OutOfFold, calibrated: Calibrated) -> tuple[DecisionPolicy | None, dict[str, Any] | None]:
    """Choose thresholds; without any that keeps its promise, the bundle has none and every page is referred."""
    try:
        return choose_policy(answers, calibrated), policy_figures(answers, calibrated)
    except RunError as error:
        print(f"no thresholds, so that every page will be referred: {error}", flush=True)
        return None, None


def _lead_temperature(answers: OutOfFold) -> float:
    """Find what calibrates the leads' own heads; a lead's class is its page's."""
    if answers.lead_logits is None:
        raise RunError("the evaluation kept no answers by lead; run the step evaluate again")
    by_lead = answers.lead_logits.mean(axis=0)
    pages, leads, classes = by_lead.shape
    return fit_temperature(by_lead.reshape(pages * leads, classes), np.repeat(answers.labels, leads))


def _parity(graph: bytes, members: list[Member], calibrated: Calibrated, traces: NDArray[np.float32]) -> dict[str, Any]:
    """Compare the graph with Keras and SciPy on real pages, spread over the classes.

    Raises:
        RunError: they disagree by more than `PARITY_LIMIT`.
    """
    spread = np.unique(np.linspace(0, len(traces) - 1, PARITY_PAGES).round().astype(int))
    expected = calibrated.calibration.probabilities(mean_page_logits(members, traces[spread]))
    _, by_page = run_graph(graph, traces[spread])
    largest = float(np.abs(by_page - expected).max())
    if largest > PARITY_LIMIT:
        raise RunError(f"ONNX and Keras differ by {largest:.1e}, over {PARITY_LIMIT:.0e}")
    return {"pages": len(spread), "largest_difference": largest, "limit": PARITY_LIMIT}


def _card(name: str, evidence: _Evidence) -> dict[str, Any]:
    answers, calibrated = evidence.answers, evidence.calibrated
    reported = reported_pages(cross_fitted_referrals(answers, calibrated))
    published = {"words": _PUBLISHED_WORDS, "rows": [_without_curves(row) for row in evidence.published_rows]}
    facts = CardFacts(
        name=name,
        data=audit(evidence.evaluation.pages),
        protocol=_PROTOCOL,
        rows=evidence.rows[:1] + [_without_curves(row) for row in evidence.rows[1:]],
        published=published if evidence.published_rows else None,
        calibration=calibrated.facts,
        policy=evidence.policy,
        policy_figures=evidence.policy_figures,
        failures=failure_gallery(answers, calibrated.cross_fitted, reported),
    )
    return build_card(facts)


def _history(pages: CrossValidation) -> dict[str, bytes]:
    """How the networks of the cross-validation learned; nothing where they were fitted before that was watched."""
    histories = pages.histories(FUSION)
    return {HISTORY_FILE: history_file(_HISTORY_WORDS, histories)} if histories else {}


def _anonymous(answers: OutOfFold) -> OutOfFold:
    """What anyone needs to count the figures again: pages by their hash, records by number, no lead by itself."""
    numbers = {group: str(number) for number, group in enumerate(dict.fromkeys(answers.groups))}
    return replace(
        answers,
        groups=tuple(numbers[group] for group in answers.groups),
        pages=tuple({"sha256": page["sha256"]} for page in answers.pages),
        lead_logits=None,
    )


def _without_curves(row: dict[str, Any]) -> dict[str, Any]:
    """Keep of a row what is printed of it."""
    return {
        **row,
        "figures": {key: value for key, value in row["figures"].items() if key not in ("coverage", "reliability")},
    }


def _draft(name: str, evidence: _Evidence, parity: dict[str, Any]) -> BundleDraft:
    pages, leads = evidence.evaluation.leak_free, len(TRACES_50_HZ.layout.leads)
    return BundleDraft(
        name=name,
        description=f"Fusion over the curves of all leads, {pages.design.repeats} networks averaged, calibrated.",
        class_names=CLASS_NAMES,
        preprocessing=TRACES_50_HZ,
        input=TensorSpec(name=TRACES, dtype="float32", shape=("pages", *TRACES_50_HZ.tensor_shape)),
        outputs=(
            TensorSpec(name=LEAD_PROBABILITIES, dtype="float32", shape=("pages", leads, len(CLASS_NAMES))),
            TensorSpec(name=PAGE_PROBABILITIES, dtype="float32", shape=("pages", len(CLASS_NAMES))),
            TensorSpec(name=EMBEDDING_DISTANCE, dtype="float32", shape=("pages",)),
        ),
        metrics=_headline(evidence.rows[0]["figures"]),
        calibration={**evidence.calibrated.facts, "lead_temperature": evidence.lead_temperature},
        decision=evidence.policy,
        origin={
            "evaluation": asdict(pages.design),
            "train": asdict(evidence.evaluation.fusion_config),
            "members": pages.design.repeats,
            "distinct_pages": len(pages.pages),
            "parity": parity,
            "libraries": {library: version(library) for library in LIBRARIES},
        },
    )


def _headline(figures: dict[str, Any]) -> dict[str, Any]:
    """The one-number figures with their intervals, and each class's recall."""
    names = [name for scalar in SCALARS for name in (scalar, f"{scalar}_ci95")]
    recalls = {
        name: {key: row[key] for key in ("rows", "recall", "recall_ci95")} for name, row in figures["classes"].items()
    }
    return {"protocol": "leak-free", **{name: figures[name] for name in names}, "classes": recalls}
