"""What goes out, as it is sent. Knows nothing of how it came about."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from service.classify import ClassificationResult, ClassProbabilities
from shared_preproc.leads import Lead
from shared_preproc.page import ImageFormat

__all__ = ["BrokenModel", "Classification", "Health", "Liveness", "ModelEntry", "ModelList", "Problem"]

# Not a number would be sent as null; so it is an error here.
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Probabilities = dict[str, Probability]
Milliseconds = Annotated[float, Field(ge=0)]


class LeadClassification(BaseModel):
    """One lead's share."""

    lead: Lead
    predicted_class: str
    probabilities: Probabilities


class ModelIdentity(BaseModel):
    """Which bundle answered."""

    name: str
    version: str
    sha256: Annotated[str, Field(description="Of the ONNX graph.")]
    preprocessing: Annotated[str, Field(description="Fingerprint of the preprocessing numbers.")]


class Image(BaseModel):
    """What was sent."""

    sha256: Annotated[str, Field(description="Of the bytes of the file as received.")]
    format: ImageFormat
    width_px: int
    height_px: int


class TimingsMs(BaseModel):
    """Wall time of each step, in milliseconds, from the complete upload on."""

    decode: Milliseconds
    preprocess: Milliseconds
    inference: Milliseconds
    total: Milliseconds


class Classification(BaseModel):
    """How probable each class is, for the page and for each lead."""

    request_id: str
    predicted_class: Annotated[str, Field(description="The most probable class of the page.")]
    probabilities: Annotated[Probabilities, Field(description="Of the page, by class; they sum to 1.")]
    leads: Annotated[
        list[LeadClassification],
        Field(description="The twelve leads in clinical order, then the rhythm strip.", min_length=13, max_length=13),
    ]
    model: ModelIdentity
    image: Image
    timings_ms: TimingsMs

    @classmethod
    def of(cls, result: ClassificationResult, request_id: str) -> "Classification":
        """Give a result the form in which it is sent."""
        manifest, image, timings = result.manifest, result.image, result.timings_ms
        return cls(
            request_id=request_id,
            predicted_class=_most_probable(result.page),
            probabilities=result.page,
            leads=[
                LeadClassification(lead=lead, predicted_class=_most_probable(by_class), probabilities=by_class)
                for lead, by_class in result.leads.items()
            ],
            model=ModelIdentity(
                name=manifest.name,
                version=manifest.version,
                sha256=manifest.model_sha256,
                preprocessing=manifest.preprocessing_fingerprint,
            ),
            image=Image(sha256=image.sha256, format=image.format, width_px=image.width_px, height_px=image.height_px),
            timings_ms=TimingsMs(
                decode=timings.decode,
                preprocess=timings.preprocess,
                inference=timings.inference,
                total=timings.total,
            ),
        )


class Health(BaseModel):
    """The service is ready."""

    status: Literal["ok"] = "ok"
    model: Annotated[str, Field(description="`name/version` of the default model.")]
    provider: Annotated[str, Field(description="Where it runs: `cpu` or `cuda`.")]
    version: Annotated[str, Field(description="Of the service.")]


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ModelEntry(BaseModel):
    """A bundle that can be asked for."""

    name: str
    version: str
    description: str
    aliases: list[str]
    default: Annotated[bool, Field(description="Answers when no model is asked for.")]
    class_names: tuple[str, ...]
    preprocessing: Annotated[str, Field(description="Fingerprint of the preprocessing numbers.")]
    sha256: Annotated[str, Field(description="Of the ONNX graph.")]
    metrics: dict[str, JsonValue]


class BrokenModel(BaseModel):
    """A bundle that is not served."""

    model: Annotated[str, Field(description="`name/version`, or a name alone.")]
    reason: str


class ModelList(BaseModel):
    """Every bundle in the registry."""

    models: list[ModelEntry]
    broken: list[BrokenModel]


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


def _most_probable(probabilities: ClassProbabilities) -> str:
    return max(probabilities, key=probabilities.__getitem__)
