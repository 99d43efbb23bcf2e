"""Responses about pages, health, and problems."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from model_registry.policy import DecisionPolicy
from service.classify import ClassificationResult, ClassProbabilities, Finding
from service.decide import PolicySource, Status
from service.examination import PageFormat
from service.explain import LeadEvidence
from shared_preproc.leads import LEADS, Lead
from shared_preproc.measurements import Measurements
from shared_preproc.placement import PlacementKind
from shared_preproc.quality import RateBand
from shared_preproc.recording import RECORDED_LEADS
from sources.source import SourceKind

__all__ = [
    "Classification",
    "Health",
    "Image",
    "Liveness",
    "Milliseconds",
    "Placement",
    "Positive",
    "Problem",
    "most_probable",
]


def _rounded(digits: int) -> AfterValidator:
    """Round to what a number means: more digits would claim a precision that nothing here has."""
    to_digits: Callable[[float], float] = partial(round, ndigits=digits)
    return AfterValidator(to_digits)


# Not a number would be sent as null; so it is an error here.
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), _rounded(4)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probabilities = dict[str, Share]
Milliseconds = Annotated[float, Field(ge=0), _rounded(2)]


class _FromOurs(BaseModel):
    """Filled from the attributes of what the service computes."""

    model_config = ConfigDict(from_attributes=True)


class Explanation(_FromOurs):
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


class Reason(_FromOurs):
    """Why a person has to look at the page."""

    code: str
    message: str


class ReaderAnswers(_FromOurs):
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


class PageQuality(BaseModel):
    """What was measured on the page, whatever the model says."""

    heart_rate_bpm: Annotated[
        Annotated[Positive, _rounded(1)] | None,
        Field(description="From the rhythm strip; null: fewer than three beats found."),
    ]
    rate: Annotated[
        RateBand | None,
        Field(description="`slow`: below 60 a minute; `fast`: above 100, tachycardia; null: no heart rate."),
    ]
    regular: Annotated[
        bool | None, Field(description="Whether the intervals between beats are even; null: fewer than four beats.")
    ]
    einthoven_residual_mv: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="RMS of II - I - III, 0 but for noise."), _rounded(3)
    ]
    coverage: Annotated[dict[Lead, Share], Field(description="Share of each lead's width with a trace.")]


class WaveTimesMs(BaseModel):
    """Where the waves of the median beat begin and end: milliseconds from the R peak, negative before it."""

    p_onset: int | None
    qrs_onset: int | None
    qrs_end: int | None
    t_end: Annotated[int | None, Field(description="By the tangent at the steepest place of the falling T wave.")]


class MeasuredBeat(BaseModel):
    """One QRS complex."""

    r_s: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="Seconds from the first instant shown."), _rounded(3)
    ]
    measured: Annotated[bool, Field(description="Is part of the median beat; false: of another shape, or cut off.")]


class PageMeasurements(BaseModel):
    """Rate, intervals, axis and ST levels, measured on the median beat without the model; unsure ones are null."""

    heart_rate_bpm: Annotated[
        Annotated[Positive, _rounded(1)] | None, Field(description="From all leads; null: fewer than three beats.")
    ]
    regular: Annotated[bool | None, Field(description="Whether intervals between beats vary by 8 % at most.")]
    pr_ms: Annotated[int | None, Field(description="Null: no P wave stands before most beats, as in fibrillation.")]
    qrs_ms: int | None
    qt_ms: int | None
    qtc_fridericia_ms: Annotated[int | None, Field(description="Null also where beats are irregular.")]
    qtc_bazett_ms: Annotated[int | None, Field(description="Null also where beats are irregular.")]
    axis_deg: Annotated[int | None, Field(description="Of the QRS, frontal: 0 is lead I, 90 is aVF.")]
    st_mv: Annotated[
        dict[Lead, Annotated[float, Field(allow_inf_nan=False), _rounded(2)] | None],
        Field(description="By lead, 60 ms after the end of the QRS, against the level before it."),
    ]
    waves_ms: WaveTimesMs
    beats: list[MeasuredBeat]


class ModelIdentity(BaseModel):
    """Which bundle answered."""

    name: str
    version: str
    sha256: Annotated[str, Field(description="Of the ONNX graph.")]
    preprocessing: Annotated[str, Field(description="Fingerprint of the preprocessing numbers.")]


class Image(_FromOurs):
    """The page's picture."""

    sha256: Annotated[str, Field(description="Of the picture's own bytes; of the file where it was rendered.")]
    format: Annotated[PageFormat, Field(description="`pixels`: it was not stored as an encoded picture.")]
    width_px: int
    height_px: int


class SourceOfPage(_FromOurs):
    """What was sent."""

    kind: Annotated[SourceKind, Field(description="By content, and for a PDF by what was taken from it.")]
    how: Annotated[str, Field(description="How it was read, in one sentence.")]
    sha256: Annotated[str, Field(description="Of the bytes of the file as received.")]


class Placement(_FromOurs):
    """How the page was brought to the printed form."""

    kind: Annotated[PlacementKind, Field(description="The simplest map from the picture to the page that fits.")]
    scale: Annotated[Positive, _rounded(4), Field(description="Picture pixels for each pixel of an export.")]
    turned_deg: Annotated[int, Field(description="Clockwise: 0, 90, 180 or 270.")]
    tilt_deg: Annotated[float, _rounded(2), Field(description="Clockwise beside that.")]
    residual_mm: Annotated[
        Annotated[float, Field(ge=0), _rounded(3)] | None,
        Field(description="RMS distance of the printed grid from its place; null: the picture shows no grid."),
    ]


class TimingsMs(_FromOurs):
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
        """Give a result the form in which it is sent, leads in clinical order."""
        manifest, quality, in_force = result.manifest, result.quality, result.in_force
        # One nested dictionary, validated at once: a model for each part costs a request as much as its routing.
        return cls.model_validate(
            {
                "request_id": request_id,
                "predicted_class": most_probable(result.page),
                "probabilities": result.page,
                "decision": result.decision.status,
                "reasons": result.decision.reasons,
                "operating_point": None if in_force is None else _operating_point(in_force.policy),
                "policy": None if in_force is None else in_force.source,
                "readers": result.readers,
                "findings": [_finding(finding) for finding in result.findings],
                "seen_in_training": result.seen_in_training,
                "quality": {**vars(quality), "coverage": {lead: quality.coverage[lead] for lead in LEADS}},
                "measurements": _measurements(result.measurements),
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


class Health(BaseModel):
    """The service is ready."""

    status: Literal["ok"] = "ok"
    model: Annotated[str, Field(description="`name/version` of the default model.")]
    provider: Annotated[str, Field(description="Where it runs: `cpu` or `cuda`.")]
    version: Annotated[str, Field(description="Of the service.")]
    pending: Annotated[
        str | None, Field(description="`name/version` that was promoted and does not answer yet, or is refused.")
    ]
    problem: Annotated[str | None, Field(description="Why it is refused, or why the registry cannot be read.")]
    degraded: Annotated[
        list[str], Field(description="Parts that fail although the service answers, `audit` or `site_policy`.")
    ]


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Problem(BaseModel):
    """Why there is no answer (RFC 9457). Programs look at `code`; the rest is for people."""

    type: Annotated[str, Field(examples=["urn:ecg-report-classifier:problem:unsuitable_dimensions"])]
    title: Annotated[str, Field(description="What the code means; always the same for a code.")]
    status: int
    detail: str
    code: Annotated[str, Field(examples=["unsuitable_dimensions"])]
    expected: Annotated[str, Field(description="What would have been accepted.")]
    found: Annotated[str, Field(description="What came instead.")]
    remedy: Annotated[str, Field(description="What to do about it.")]
    request_id: str


def most_probable(probabilities: ClassProbabilities) -> str:
    """The class of the highest probability."""
    return max(probabilities, key=probabilities.__getitem__)


def _operating_point(policy: DecisionPolicy) -> dict[str, object]:
    target = policy.default_sensitivity
    return {"critical_class": policy.critical_class, "target": target, **vars(policy.operating_point(target))}


def _finding(finding: Finding) -> dict[str, object]:
    spec = finding.spec
    return {
        "code": spec.code,
        "name": spec.name,
        "probability": finding.probability,
        "threshold": spec.threshold,
        "present": finding.present,
    }


def _measurements(measured: Measurements) -> dict[str, object]:
    whole = ("pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms", "qtc_bazett_ms", "axis_deg")
    return {
        "heart_rate_bpm": measured.heart_rate_bpm,
        "regular": measured.regular,
        **{name: _whole(getattr(measured, name)) for name in whole},
        "st_mv": dict(zip(RECORDED_LEADS, measured.st_mv, strict=True)),
        "waves_ms": {name: _whole(value) for name, value in measured.waves._asdict().items()},
        "beats": [beat._asdict() for beat in measured.beats],
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _lead(
    lead: Lead, probabilities: ClassProbabilities, explanation: Mapping[Lead, LeadEvidence] | None
) -> dict[str, object]:
    return {
        "lead": lead,
        "predicted_class": most_probable(probabilities),
        "probabilities": probabilities,
        "explanation": None if explanation is None else explanation[lead],
    }
