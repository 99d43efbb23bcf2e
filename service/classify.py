"""Classify one page: from its bytes to probabilities and a decision."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model_registry.decision import PageAnswer, rests_on_rate
from model_registry.manifest import BundleManifest, FindingSpec
from model_registry.policy import DecisionPolicy, Leading
from model_registry.training_record import TrainingRecord
from service.decide import Decision, PolicyInForce, SiteRules, decide
from service.examination import ImageFacts, PreparedPage, SourceFacts, prepare
from service.explain import LeadEvidence, explain
from service.models.onnx import Classifier, Probabilities
from service.telemetry.trace import Clock
from shared_preproc.evidence import Doubt
from shared_preproc.fingerprint import curve_fingerprint
from shared_preproc.leads import LEADS, Lead
from shared_preproc.measurements import Measurements
from shared_preproc.placement import Placement
from shared_preproc.quality import Quality
from shared_preproc.recording import resample_time

__all__ = ["ClassProbabilities", "ClassificationResult", "Finding", "LoadedModel", "Readers", "Timings", "classify"]

ClassProbabilities = dict[str, float]
"""By class name, in the order of the manifest; sums to 1."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A bundle that is ready to answer."""

    manifest: BundleManifest
    classifier: Classifier
    trained_on: TrainingRecord | None = None
    rules: SiteRules = field(default_factory=SiteRules)

    @cached_property
    def in_force(self) -> PolicyInForce:
        """The policy that decides about its answers."""
        return self.rules.in_force(self.manifest)


@dataclass(frozen=True)
class Readers:
    """The answers of a graph's two networks."""

    class_network: ClassProbabilities
    findings_network: ClassProbabilities


@dataclass(frozen=True)
class Finding:
    """One finding and its probability."""

    spec: FindingSpec
    probability: float

    @property
    def present(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.spec.threshold


@dataclass(frozen=True)
class Timings:
    """Wall time of each step, in milliseconds."""

    decode: float
    preprocess: float
    examine: float
    inference: float
    total: float
    explain: float | None = None
    """None without an explanation."""


@dataclass(frozen=True, eq=False)
class ClassificationResult:
    """What a model says about one page, and how it was read."""

    page: ClassProbabilities
    """Of the leading reader."""
    leads: dict[Lead, ClassProbabilities]
    """In clinical order."""
    readers: Readers | None
    """None: the graph has one reader."""
    findings: tuple[Finding, ...]
    """In the order of the manifest."""
    explanation: Mapping[Lead, LeadEvidence] | None
    """Evidence for the page's most probable class, if asked for."""
    decision: Decision
    in_force: PolicyInForce
    """The policy that decided."""
    quality: Quality
    measurements: Measurements
    seen_in_training: bool | None
    """None for a recording or another cart's page, and if the bundle has no training record."""
    manifest: BundleManifest
    source: SourceFacts
    placement: Placement | None
    """How the page was mapped to the printed form; None for a recording or another cart's page."""
    image: ImageFacts | None
    """None for a recording."""
    timings_ms: Timings


def classify(data: bytes, model: LoadedModel, *, explaining: bool = False) -> ClassificationResult:
    """Decode, read, examine and classify one report page or recording, in a worker thread.

    Raises:
        PreprocError: it cannot be read.
    """
    manifest, spec, clock = model.manifest, model.manifest.preprocessing, Clock()
    page = prepare(data, spec)
    in_force = _in_force(model, page)
    policy = in_force.policy
    leading = "fused" if policy is None else policy.leading
    with clock.step("inference"):
        said = model.classifier.run(page.tensor[np.newaxis])
        readers = _readers(manifest, said)
        answer = PageAnswer(
            probabilities=_led_by(leading, said, manifest),
            readers=None if readers is None else (readers.class_network, readers.findings_network),
            heart_rate_bpm=page.quality.heart_rate_bpm,
        )
        answer = _with_reference_rate(answer, page, model, policy)
    explanation = None
    if explaining:
        with clock.step("explain"):
            class_place = manifest.class_names.index(answer.top)
            explanation = explain(page.tensor, spec, model.classifier, class_place, leading)
    return ClassificationResult(
        page=dict(answer.probabilities),
        leads=_by_lead(manifest, said),
        readers=readers,
        findings=_findings(manifest, said),
        explanation=explanation,
        decision=decide(answer, policy, (*page.doubts, *_source_doubts(page, manifest))),
        in_force=in_force,
        quality=page.quality,
        measurements=page.measurements,
        seen_in_training=_seen(page, model),
        manifest=manifest,
        source=page.source,
        placement=page.placement,
        image=page.image,
        timings_ms=Timings(**page.timings_ms | clock.timings_ms()),
    )


def _in_force(model: LoadedModel, page: PreparedPage) -> PolicyInForce:
    """Let the findings network lead on another cart's page: the class network knows its own cart only."""
    policy = model.in_force.policy
    if policy is None or policy.readers is None or page.placement is not None or page.image is None:
        return model.in_force
    return replace(model.in_force, policy=policy.model_copy(update={"leading": "findings_network"}))


def _source_doubts(page: PreparedPage, manifest: BundleManifest) -> tuple[Doubt, ...]:
    """Doubt other carts' pages, and recordings of kinds on which the bundle was not validated."""
    if page.placement is not None:
        return ()
    if page.image is not None:
        return (Doubt("source_not_validated", "The model was not validated on pages of other carts."),)
    if page.source.kind in manifest.validated_sources:
        return ()
    return (
        Doubt("source_not_validated", f"The model was not validated on recordings of the kind {page.source.kind}."),
    )


def _seen(page: PreparedPage, model: LoadedModel) -> bool | None:
    if page.image is None or page.placement is None or model.trained_on is None:
        return None
    # As slow as decoding a page.
    fingerprint = curve_fingerprint(page.traces) if model.trained_on.fingerprints else None
    return model.trained_on.find(page.image.sha256, fingerprint) is not None


def _with_reference_rate(
    answer: PageAnswer, page: PreparedPage, model: LoadedModel, policy: DecisionPolicy | None
) -> PageAnswer:
    """Run the graph again at the policy's reference rate, if the answer may rest on the heart rate."""
    if policy is None or policy.readers is None or not rests_on_rate(answer, policy) or not answer.heart_rate_bpm:
        return answer
    factor = policy.readers.reference_rate_bpm / answer.heart_rate_bpm
    resampled = resample_time(page.tensor.astype(np.float32, copy=False), model.manifest.preprocessing, factor)
    again = model.classifier.run(resampled[np.newaxis])
    return replace(answer, at_reference_rate=_led_by(policy.leading, again, model.manifest))


def _led_by(leading: Leading, said: Probabilities, manifest: BundleManifest) -> ClassProbabilities:
    (by_class,) = _by_class(manifest, said.led_by(leading)[:1])
    return by_class


def _readers(manifest: BundleManifest, said: Probabilities) -> Readers | None:
    return None if said.readers is None else Readers(*_by_class(manifest, said.readers[0]))


def _findings(manifest: BundleManifest, said: Probabilities) -> tuple[Finding, ...]:
    if said.findings is None:
        return ()
    probabilities = said.findings[0].astype(np.float64).clip(0, 1).tolist()  # float32 may round above 1
    return tuple(map(Finding, manifest.findings, probabilities))


def _by_lead(manifest: BundleManifest, answer: Probabilities) -> dict[Lead, ClassProbabilities]:
    leads = manifest.preprocessing.layout.leads
    in_page_order = dict(zip(leads, _by_class(manifest, answer.leads[0]), strict=True))
    return {lead: in_page_order[lead] for lead in LEADS}


def _by_class(manifest: BundleManifest, probabilities: NDArray[np.float32]) -> Iterator[ClassProbabilities]:
    """Name and normalise each row of (rows, classes): float32 rarely sums to 1."""
    exact = probabilities.astype(np.float64)
    for row in (exact / exact.sum(axis=1, keepdims=True)).tolist():
        yield dict(zip(manifest.class_names, row, strict=True))
