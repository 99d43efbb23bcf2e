"""Evidence to a published bundle of two readers: graph, parity, card and files."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.golden import GOLDEN_FILE, record_golden
from model_registry.manifest import (
    CARD_FILE,
    FINDING_PROBABILITIES,
    HISTORY_FILE,
    LEAD_PROBABILITIES,
    MODEL_FILE,
    OUT_OF_FOLD_FILE,
    PAGE_PROBABILITIES,
    READER_PROBABILITIES,
    TRAINING_PAGES_FILE,
    BundleDraft,
    FindingSpec,
    TensorSpec,
)
from model_registry.policy import SitePolicy
from model_registry.registry import Registry
from model_registry.training_record import TrainingRecord
from shared_preproc.spec import TRACES_50_HZ
from trainer.audit import audit
from trainer.card import CardFacts, build_card, card_text, failure_gallery
from trainer.classes import CLASS_NAMES
from trainer.config import CLASS_NETWORK
from trainer.cross_validation import CrossValidation
from trainer.errors import RunError
from trainer.export import LIBRARIES, PARITY_LIMIT, PARITY_PAGES, run_graph
from trainer.figures import draw_card
from trainer.findings import FINDINGS
from trainer.fusion_evidence import FusionEvidence
from trainer.fusion_graph import TRACES, fusion_graph
from trainer.history import history_file
from trainer.members import mean_page_logits
from trainer.metrics import SCALARS
from trainer.session import run_outputs
from trainer.signals import recording_sha256

__all__ = ["publish_fusion"]

_VALIDATED_SOURCES = ("wfdb",)
"""What PTB-XL ships as."""
_PROTOCOL = (
    "Distinct pages only, five folds dealt anew in each repeat, every class evenly, no record in two folds.",
    "Recordings of PTB-XL in five folds, no patient in two.",
    "Each page or recording is answered by networks that never saw its record or patient: the mean of one class network"
    " for each repeat, and of one findings network for each seed. As many of either kind are served, each trained on"
    " everything of its own.",
    "Calibrations and thresholds of each page are chosen without its fold, but for the findings' thresholds: those are"
    " chosen on all recordings, so that sensitivity and specificity of findings are slightly optimistic.",
    "Intervals come from drawing records or patients, not pages, 2000 times.",
)
_PUBLISHED_WORDS = (
    "The literature splits files at random, so that copies of one page stand on both sides.",
    "One fold of five, not calibrated: what the same networks seem to reach then.",
)
_HISTORY_WORDS = (
    "The class networks of the cross-validation, one a fold of each repeat: training is on their own pages, validation"
    " on the fold that was held out. The served networks are trained in the same way, but on every page, so that none"
    " is left to validate them on. Loss is the mean cross-entropy of a page in nats, accuracy the share of pages; both"
    " are measured after each epoch, on the pages as they are."
)


def publish_fusion(evidence: FusionEvidence, registry: Registry, name: str) -> str:
    """Join the networks, check the graph, describe and publish it; gives the bundle's ``name/version``.

    Raises:
        RunError: a run is not finished, or ONNX and Keras disagree.
        RegistryError: the registry refuses the bundle.
    """
    pages, choice = evidence.pages, evidence.choice
    if choice.policy is None:
        print(f"no thresholds, so that every page will be referred: {choice.why_none}", flush=True)
    graph = fusion_graph(evidence.class_members, evidence.findings.members(), choice, evidence.lead_temperature)
    parity = _parity(graph, evidence)
    row = evidence.row()
    policies = evidence.policies(hashlib.sha256(graph).hexdigest())
    card = _card(name, evidence, row, list(policies.values()))
    files = {
        MODEL_FILE: graph,
        GOLDEN_FILE: record_golden(TRACES_50_HZ, lambda tensor: run_graph(graph, tensor)[1]),
        CARD_FILE: (json.dumps(card, indent=1) + "\n").encode(),
        "card.md": card_text(card).encode(),
        OUT_OF_FOLD_FILE: evidence.known_answers().pack(),
    }
    files |= {file: (policy.model_dump_json(indent=1) + "\n").encode() for file, policy in policies.items()}
    files |= _trained_on(evidence).pack()
    files |= _history(pages)
    files |= {path.name: path.read_bytes() for path in draw_card(row["figures"], pages.folder)}
    return registry.publish(_draft(name, evidence, row["figures"], card["external"], parity), files)


def _trained_on(evidence: FusionEvidence) -> TrainingRecord:
    pages = evidence.pages.pages
    recordings = map(recording_sha256, evidence.findings.signals.signal_mv)
    fingerprints = {page.sha256: page.fingerprint for page in pages if page.fingerprint is not None}
    return TrainingRecord(frozenset([*(page.sha256 for page in pages), *recordings]), fingerprints)


def _parity(graph: bytes, evidence: FusionEvidence) -> dict[str, Any]:
    """Compare every output of the graph with Keras and SciPy on real pages, spread over the classes.

    Half of them lack their first lead and their strip, which is NaN.

    Raises:
        RunError: they disagree by more than `PARITY_LIMIT`.
    """
    traces, choice = evidence.pages.page_set.traces, evidence.choice
    shown = traces[np.unique(np.linspace(0, len(traces) - 1, PARITY_PAGES).round().astype(int))]
    lead, *_, strip = (
        TRACES_50_HZ.trace.samples(box, TRACES_50_HZ.layout) for _, box in TRACES_50_HZ.layout.lead_boxes
    )
    shown[::2, :lead] = shown[::2, -strip:] = np.nan
    findings = evidence.findings.answer(shown)
    fused, readers = choice.probabilities(mean_page_logits(evidence.class_members, shown), findings)
    expected = {
        PAGE_PROBABILITIES: fused,
        READER_PROBABILITIES: readers,
        FINDING_PROBABILITIES: choice.finding_probabilities(findings.findings),
    }
    given = run_outputs(graph, shown, tuple(expected))
    largest = max(float(np.abs(one - other).max()) for one, other in zip(given, expected.values(), strict=True))
    if not largest <= PARITY_LIMIT:  # NaN as well
        raise RunError(f"ONNX and Keras differ by {largest:.1e}, over {PARITY_LIMIT:.0e}")
    return {"pages": len(shown), "largest_difference": largest, "limit": PARITY_LIMIT}


def _card(name: str, evidence: FusionEvidence, row: dict[str, Any], policies: Sequence[SitePolicy]) -> dict[str, Any]:
    report = evidence.evaluation.report()
    inside = evidence.answers.inside
    published = {"words": _PUBLISHED_WORDS, "rows": [_without_curves(row) for row in report["published_rows"]]}
    signals, crossed = evidence.findings.signals, evidence.crossed
    facts = CardFacts(
        name=name,
        data=audit(evidence.evaluation.pages),
        recordings={"name": signals.name, "recordings": len(signals), "patients": len(set(signals.patients))},
        protocol=_PROTOCOL,
        rows=[row, *(_without_curves(other) for other in report["rows"])],
        published=published if report["published_rows"] else None,
        calibration=_calibration(evidence),
        policy=evidence.choice.policy,
        decision_figures=None if evidence.choice.policy is None else evidence.decision_figures(),
        inside=evidence.figures(inside=True),
        external=evidence.figures(inside=False),
        policies=policies,
        external_wide=evidence.wide_figures(),
        failures=failure_gallery(
            evidence.out_of_fold, crossed.probabilities[inside].astype(np.float64), crossed.reported[inside]
        ),
    )
    return build_card(facts)


def _calibration(evidence: FusionEvidence) -> dict[str, Any]:
    choice = evidence.choice
    parts = {"fused": choice.fused, "class_network": choice.class_network, "findings_network": choice.findings_network}
    return {
        "method": "temperature and class bias, on answers out of fold; each finding by a logistic curve",
        "fusion": asdict(choice.fusion),
        **{
            name: {"temperature": part.temperature, "bias": dict(zip(CLASS_NAMES, part.bias.tolist(), strict=True))}
            for name, part in parts.items()
        },
    }


def _history(pages: CrossValidation) -> dict[str, bytes]:
    """How the networks of the cross-validation learned; nothing where they were fitted before that was watched."""
    histories: Sequence[NDArray[np.float64]] = pages.histories(CLASS_NETWORK)
    return {HISTORY_FILE: history_file(_HISTORY_WORDS, histories)} if histories else {}


def _without_curves(row: dict[str, Any]) -> dict[str, Any]:
    """Keep of a row what is printed of it."""
    return {
        **row,
        "figures": {key: value for key, value in row["figures"].items() if key not in ("coverage", "reliability")},
    }


def _draft(
    name: str, evidence: FusionEvidence, figures: dict[str, Any], external: dict[str, Any], parity: dict[str, Any]
) -> BundleDraft:
    pages, leads, classes = evidence.pages, len(TRACES_50_HZ.layout.leads), len(CLASS_NAMES)
    signals = evidence.findings.signals
    thresholds = zip(FINDINGS, evidence.choice.thresholds, strict=True)
    return BundleDraft(
        name=name,
        description="A class network and a findings network over the curves of all leads, fused and calibrated.",
        class_names=CLASS_NAMES,
        preprocessing=TRACES_50_HZ,
        input=TensorSpec(name=TRACES, dtype="float32", shape=("pages", *TRACES_50_HZ.tensor_shape)),
        outputs=(
            TensorSpec(name=LEAD_PROBABILITIES, dtype="float32", shape=("pages", leads, classes)),
            TensorSpec(name=PAGE_PROBABILITIES, dtype="float32", shape=("pages", classes)),
            TensorSpec(name=READER_PROBABILITIES, dtype="float32", shape=("pages", 2, classes)),
            TensorSpec(name=FINDING_PROBABILITIES, dtype="float32", shape=("pages", len(FINDINGS))),
        ),
        metrics=_headline(figures, external),
        calibration=_calibration(evidence),
        findings=tuple(FindingSpec(**finding._asdict(), threshold=threshold) for finding, threshold in thresholds),
        validated_sources=_VALIDATED_SOURCES,
        decision=evidence.choice.policy,
        origin=_plain(
            {
                "evaluation": asdict(pages.design),
                "class_network": asdict(evidence.evaluation.class_config),
                "findings": asdict(evidence.findings.design),
                "findings_network": asdict(evidence.findings.config),
                "distinct_pages": len(pages.pages),
                "recordings": {"name": signals.name, "count": len(signals), "licence": "CC BY 4.0 (PTB-XL)"},
                "evidence": hashlib.sha256(_trained_on(evidence).pack()[TRAINING_PAGES_FILE]).hexdigest(),
                "parity": parity,
                "libraries": {library: version(library) for library in LIBRARIES},
            }
        ),
    )


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """The same in JSON's own types: lists for tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def _headline(figures: dict[str, Any], external: dict[str, Any]) -> dict[str, Any]:
    """The one-number figures with their intervals, and each class's recall, inside the data set and outside."""
    names = [name for scalar in SCALARS for name in (scalar, f"{scalar}_ci95")]
    recalls = {
        name: {key: row[key] for key in ("rows", "recall", "recall_ci95")} for name, row in figures["classes"].items()
    }
    outside = {
        **{name: by_reader["answer"] for name, by_reader in external["auroc"].items()},
        "reported": external["reported"],
        "infarction_reported_as_normal": external["failures"]["infarction_reported_as_normal"],
    }
    return {
        "protocol": "leak-free",
        **{name: figures[name] for name in names},
        "classes": recalls,
        "external": outside,
    }
