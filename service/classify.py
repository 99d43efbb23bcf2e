"""The data's way through the service: bytes of a page to what the model says about it. Knows no HTTP.

One plain function, to be called in a worker thread. Whether it is a page at all is settled before any class is given.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_registry.manifest import BundleManifest
from service.classifier import Classifier, Probabilities
from service.clock import Clock
from service.decide import Decision, Thresholds, decide
from service.examined import ImageFacts
from service.explain import LeadEvidence, explain
from service.prepared import prepare
from shared_preproc.leads import LEADS, Lead
from shared_preproc.quality import Quality

__all__ = ["ClassProbabilities", "ClassificationResult", "LoadedModel", "Timings", "classify"]

ClassProbabilities = dict[str, float]
"""By class name, in the order of the manifest; sums to 1."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A bundle that is ready to answer."""

    manifest: BundleManifest
    classifier: Classifier
    training_pages: frozenset[str] | None = None
    """SHA-256 (hex) of every file it was trained on; None where the bundle does not say."""


@dataclass(frozen=True)
class Timings:
    """Wall time of each step, in milliseconds."""

    decode: float
    preprocess: float
    examine: float
    inference: float
    total: float
    explain: float | None = None
    """None where no explanation was asked for."""


@dataclass(frozen=True, eq=False)
class ClassificationResult:
    """What a model says about one page, and what it was told."""

    page: ClassProbabilities
    leads: dict[Lead, ClassProbabilities]
    """In clinical order."""
    explanation: Mapping[Lead, LeadEvidence] | None
    """What speaks for the most probable class of the page; None where it was not asked for."""
    decision: Decision
    thresholds: Thresholds | None
    """What it was decided by; None where the bundle has no policy."""
    quality: Quality
    seen_in_training: bool | None
    """None where the bundle does not say what it was trained on."""
    manifest: BundleManifest
    image: ImageFacts
    timings_ms: Timings


def classify(
    data: bytes,
    model: LoadedModel,
    *,
    critical_sensitivity: float | None = None,
    explaining: bool = False,
) -> ClassificationResult:
    """Decode, read, examine and classify one JPEG or PNG report page, and decide what becomes of the answer.

    ``critical_sensitivity`` (0 to 1) is asked of the bundle's policy instead of its own default.

    Raises:
        PreprocError: the bytes are no report page that the model's preprocessing accepts, or one that cannot be read.
    """
    manifest, spec, clock = model.manifest, model.manifest.preprocessing, Clock()
    page = prepare(data, spec)
    with clock.step("inference"):
        answer = model.classifier.run(page.tensor[np.newaxis])
    (by_class,) = _by_class(manifest, answer.pages[:1])
    thresholds = Thresholds.of(manifest.decision, critical_sensitivity)
    explanation = None
    if explaining:
        with clock.step("explain"):
            explanation = explain(page.tensor, spec, model.classifier, int(answer.pages[0].argmax()))
    return ClassificationResult(
        page=by_class,
        leads=_by_lead(manifest, answer),
        explanation=explanation,
        decision=decide(by_class, thresholds, _distance(answer), page.doubts),
        thresholds=thresholds,
        quality=page.quality,
        seen_in_training=None if model.training_pages is None else page.image.sha256 in model.training_pages,
        manifest=manifest,
        image=page.image,
        timings_ms=Timings(**page.timings_ms | clock.timings_ms()),
    )


def _by_lead(manifest: BundleManifest, answer: Probabilities) -> dict[Lead, ClassProbabilities]:
    leads = manifest.preprocessing.layout.leads
    in_page_order = dict(zip(leads, _by_class(manifest, answer.leads[0]), strict=True))
    return {lead: in_page_order[lead] for lead in LEADS}


def _by_class(manifest: BundleManifest, probabilities: NDArray[np.float32]) -> Iterator[ClassProbabilities]:
    """Name each row of probabilities (rows, classes), normalised once more: float32 sums to 1 only by luck."""
    exact = probabilities.astype(np.float64)
    for row in (exact / exact.sum(axis=1, keepdims=True)).tolist():
        yield dict(zip(manifest.class_names, row, strict=True))


def _distance(answer: Probabilities) -> float | None:
    return None if answer.distances is None else float(answer.distances[0])
