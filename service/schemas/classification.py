"""The answer to POST /classify."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from model_registry.policy import DecisionPolicy
from service.classify import ClassificationResult, ClassProbabilities, Finding
from service.decide import PolicySource, Status
from service.explain import LeadEvidence
from service.schemas.page import (
    FromOurs,
    Image,
    Milliseconds,
    PageMeasurements,
    PageQuality,
    Placement,
    Positive,
    Share,
    SourceOfPage,
)
from shared_preproc.leads import LEADS, Lead
from shared_preproc.recording import RECORDED_LEADS

__all__ = ["Classification", "most_probable"]

Probabilities = dict[str, Share]


class Explanation(FromOurs):
    """What in one lead speaks for the most probable class of the page."""

    weight: Annotated[Share, Field(description="The lead's share of the evidence; all leads' sum to 1.")]
    rate_hz: Annotated[Positive, Field(description="Values of `curve` for each second of the lead.")]
    curve: Annotated[list[Share], Field(description="Where along the lead's time the evidence lies, 0 to 1.")]


class LeadClassification(BaseModel):
    """One lead's share."""

    lead: Lead
    predicted_class: str
    probabilities: Probabilities
    explanation: Annotated[Explanation | None, Field(description="Null unless `explain` was asked for.")]


class Reason(FromOurs):
    """Why a person has to look at the page."""

    code: str
    message: str


class ReaderAnswers(FromOurs):
    """What the model's two networks say about the page, each by itself."""

    class_network: Annotated[Probabilities, Field(description="Trained on this data set's classes.")]
    findings_network: Annotated[Probabilities, Field(description="Trained on other hospitals' findings.")]


class PageFinding(BaseModel):
    """One finding; several can be present on a page."""

    code: Annotated[str, Field(description="SCP-ECG statement or diagnostic class.", examples=["AFIB"])]
    name: str
    probability: Share
    threshold: Share
    present: Annotated[bool, Field(description="Whether the probability reaches the threshold.")]


class UsedOperatingPoint(BaseModel):
    """From which probability on a page is flagged for the critical class, and what that gave where it was chosen.

    It was chosen on the very pages that it is judged on here, which the networks had not seen: expect worse on others.
    """

    critical_class: str
    target: Annotated[Share, Field(description="The sensitivity that was asked for.")]
    threshold: Annotated[Share, Field(description="A page is flagged when the class is at least as probable as this.")]
    sensitivity: Annotated[
        Share, Field(description="Share of the class's pages that were flagged, where it was chosen.")
    ]
    sensitivity_ci95: Annotated[tuple[Share, Share], Field(description="Its 95 % interval.")]
    flagged: Annotated[Share, Field(description="Share of the other classes' pages that were flagged, there.")]


class ModelIdentity(BaseModel):
    """Which bundle answered."""

    name: str
    version: str
    sha256: Annotated[str, Field(description="Of the ONNX graph.")]
    preprocessing: Annotated[str, Field(description="Fingerprint of the preprocessing numbers.")]


class TimingsMs(FromOurs):
    """Wall time of each step, in milliseconds, from the complete upload on."""

    decode: Milliseconds
    preprocess: Milliseconds
    examine: Milliseconds
    inference: Milliseconds
    explain: Annotated[Milliseconds | None, Field(description="Null unless it was asked for.")]
    total: Milliseconds


class Classification(BaseModel):
    """How probable each class is, for the page and for each lead, and whether a person has to look."""

    request_id: str
    predicted_class: Annotated[str, Field(description="The most probable class of the page.")]
    probabilities: Annotated[
        Probabilities, Field(description="Of the page, by class, to 4 decimals; they sum to 1 within 0.001.")
    ]
    decision: Annotated[Status, Field(description="`referred`: a person has to look, for each of `reasons`.")]
    reasons: list[Reason]
    operating_point: Annotated[
        UsedOperatingPoint | None, Field(description="Null: the model has no measured thresholds.")
    ]
    policy: Annotated[
        PolicySource | None,
        Field(description="Whose thresholds decided: the model's or this site's; null: there are none."),
    ]
    readers: Annotated[ReaderAnswers | None, Field(description="Null: the model has one network only.")]
    findings: Annotated[list[PageFinding], Field(description="In the model's order; empty: the model gives none.")]
    seen_in_training: Annotated[
        bool | None,
        Field(
            description="Whether the model was trained on this page, however it is saved; null: the model does not say."
        ),
    ]
    quality: PageQuality
    measurements: PageMeasurements
    leads: Annotated[
        list[LeadClassification],
        Field(description="The twelve leads in clinical order, then the rhythm strip.", min_length=13, max_length=13),
    ]
    model: ModelIdentity
    source: SourceOfPage
    placement: Annotated[Placement | None, Field(description="Null for a recording and for another cart's page.")]
    image: Annotated[Image | None, Field(description="Null for a recording.")]
    timings_ms: TimingsMs

    @classmethod
    def of(cls, result: ClassificationResult, request_id: str) -> "Classification":
        """Describe a result, leads in clinical order."""
        manifest, quality, measured = result.manifest, result.quality, result.measurements
        # Validated at once: a model for each part would take as long as routing.
        return cls.model_validate(
            {
                "request_id": request_id,
                "predicted_class": most_probable(result.page),
                "probabilities": result.page,
                "decision": result.decision.status,
                "reasons": result.decision.reasons,
                "operating_point": _operating_point(result.in_force.policy),
                "policy": result.in_force.source,
                "readers": result.readers,
                "findings": [_finding(finding) for finding in result.findings],
                "seen_in_training": result.seen_in_training,
                "quality": {**vars(quality), "coverage": {lead: quality.coverage[lead] for lead in LEADS}},
                "measurements": {
                    **vars(measured),
                    "st_mv": dict(zip(RECORDED_LEADS, measured.st_mv, strict=True)),
                    "waves_ms": measured.waves,
                },
                "leads": [_lead(lead, by_class, result.explanation) for lead, by_class in result.leads.items()],
                "model": {
                    "name": manifest.name,
                    "version": manifest.version,
                    "sha256": manifest.model_sha256,
                    "preprocessing": manifest.preprocessing_fingerprint,
                },
                "source": result.source,
                "placement": result.placement,
                "image": result.image,
                "timings_ms": result.timings_ms,
            }
        )


def most_probable(probabilities: ClassProbabilities) -> str:
    """Return the class of the highest probability."""
    return max(probabilities, key=probabilities.__getitem__)


def _operating_point(policy: DecisionPolicy | None) -> dict[str, object] | None:
    if policy is None:
        return None
    target = policy.default_sensitivity
    return {"critical_class": policy.critical_class, "target": target, **vars(policy.operating_point(target))}


def _finding(finding: Finding) -> dict[str, object]:
    return {**dict(finding.spec), "probability": finding.probability, "present": finding.present}


def _lead(
    lead: Lead, probabilities: ClassProbabilities, explanation: Mapping[Lead, LeadEvidence] | None
) -> dict[str, object]:
    return {
        "lead": lead,
        "predicted_class": most_probable(probabilities),
        "probabilities": probabilities,
        "explanation": None if explanation is None else explanation[lead],
    }
