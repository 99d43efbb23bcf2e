"""What a bundle says about itself."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from model_registry.names import Name, Version
from model_registry.policy import DecisionPolicy
from shared_preproc.spec import PreprocSpec

__all__ = [
    "CARD_FILE",
    "DATA_SET_FILE",
    "FINDING_PROBABILITIES",
    "FINGERPRINTS_FILE",
    "FINGERPRINT_MISMATCH",
    "HISTORY_FILE",
    "LEAD_PROBABILITIES",
    "MANIFEST_FILE",
    "MANIFEST_SEAL",
    "METRICS_FILE",
    "MODEL_FILE",
    "OTHER_HOSPITALS_FILE",
    "OUT_OF_FOLD_FILE",
    "PAGE_PROBABILITIES",
    "READER_PROBABILITIES",
    "TRAINING_PAGES_FILE",
    "BundleDraft",
    "BundleManifest",
    "FindingSpec",
    "TensorSpec",
]

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
MANIFEST_SEAL = "manifest.sha256"
"""The manifest's own checksum, in the format of `sha256sum`: the manifest cannot hold it."""
CARD_FILE = "card.json"
"""The model card, for programs; beside it stands `card.md`, for people."""
METRICS_FILE = "metrics.json"
"""Every figure of the evaluation, where the card does not hold them."""
HISTORY_FILE = "history.json"
"""How the networks learned, epoch by epoch: `model_registry.history`."""
TRAINING_PAGES_FILE = "training-pages.sha256"
"""SHA-256 (hex) of every file that was trained on, one a line: `model_registry.training_record`."""
FINGERPRINTS_FILE = "training-pages.fingerprints"
"""Fingerprints of the curves of the pages among them."""
OTHER_HOSPITALS_FILE = "other-hospitals.json"
"""A site policy for hospitals that are not the data set's."""
DATA_SET_FILE = "data-set.json"
"""A site policy for the data set's hospital."""
OUT_OF_FOLD_FILE = "out-of-fold.npz"
"""Its networks' answers about what they were later trained on, by networks that had not seen it."""
LEAD_PROBABILITIES = "lead_probabilities"
PAGE_PROBABILITIES = "page_probabilities"
READER_PROBABILITIES = "reader_probabilities"
"""Optional output (pages, 2, classes): what the class network and the findings network each say by themselves."""
FINDING_PROBABILITIES = "finding_probabilities"
"""Optional output (pages, findings): each finding by itself, in the order of the manifest's `findings`."""
FINGERPRINT_MISMATCH = "fingerprint_mismatch"
"""Type of the validation error that a changed preprocessing number causes."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]
# Flat and never hidden: joined to a folder, such a name cannot leave it.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class TensorSpec(BaseModel):
    """An input or output of the graph. An axis is a size, or the name of a free one; `pages` is always first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text
    dtype: Literal["uint8", "float32"]
    shape: tuple[Annotated[int, Field(gt=0)] | Text, ...]

    @model_validator(mode="after")
    def _counts_pages_first(self) -> Self:
        if self.shape[:1] != ("pages",):
            raise ValueError(f"{self.name} has the shape {self.shape}; the first axis must be 'pages'")
        return self


class FindingSpec(BaseModel):
    """One finding that the graph gives a probability of."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_/]{2,12}$")]
    """SCP-ECG statement or PTB-XL diagnostic class."""
    name: Text
    """The same in words."""
    sentence: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    """What it means, for people."""
    threshold: Annotated[float, Field(ge=0, le=1)]
    """From this probability on the finding counts as present; chosen out of fold."""


class BundleDraft(BaseModel):
    """The part of a manifest that the publisher knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Name
    description: str
    class_names: tuple[Text, ...] = Field(min_length=2)
    """In the order of the last axis of both probability outputs."""
    preprocessing: PreprocSpec
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    metrics: dict[str, JsonValue]
    """Headline figures, for people."""
    calibration: dict[str, JsonValue] | None
    """How the probabilities inside the graph were calibrated, and what that gave; None: not at all."""
    findings: tuple[FindingSpec, ...] = ()
    """In the order of the last axis of `FINDING_PROBABILITIES`; empty where the graph has none."""
    validated_sources: tuple[Text, ...] = ()
    """Kinds of recordings (`wfdb`, `pdf_curves` ...) with figures of other hospitals; the others are referred."""
    decision: DecisionPolicy | None = None
    """None: no thresholds were measured, so that every page is referred."""
    origin: dict[str, JsonValue]
    """How it was made: run id, seed, data fingerprint, library versions, parity."""

    @model_validator(mode="after")
    def _class_names_are_distinct(self) -> Self:
        if len(set(self.class_names)) < len(self.class_names):
            raise ValueError(f"class_names must be distinct: {', '.join(self.class_names)}")
        return self

    @model_validator(mode="after")
    def _outputs_give_every_class(self) -> Self:
        outputs = {output.name: output for output in self.outputs}
        if len(outputs) < len(self.outputs):
            raise ValueError("outputs must have distinct names")
        for name in (LEAD_PROBABILITIES, PAGE_PROBABILITIES):
            if name not in outputs:
                raise ValueError(f"outputs must contain {name}")
            size = outputs[name].shape[-1]
            if isinstance(size, int) and size != len(self.class_names):
                raise ValueError(f"{name} gives {size} classes on its last axis, class_names {len(self.class_names)}")
        return self

    @model_validator(mode="after")
    def _findings_match_their_output(self) -> Self:
        sizes = [output.shape[-1] for output in self.outputs if output.name == FINDING_PROBABILITIES]
        if sizes != ([len(self.findings)] if self.findings else []):
            raise ValueError(f"{len(self.findings)} findings are named, but {FINDING_PROBABILITIES} gives {sizes}")
        if len({finding.code for finding in self.findings}) < len(self.findings):
            raise ValueError("findings must have distinct codes")
        return self

    def check_decision(self, decision: DecisionPolicy) -> None:
        """Check that a policy can decide about this graph's answers.

        Raises:
            ValueError: it names classes or needs outputs that the graph does not have.
        """
        if decision.critical_class not in self.class_names:
            raise ValueError(f"the critical class {decision.critical_class} is not among class_names")
        two_readers = READER_PROBABILITIES in {output.name for output in self.outputs}
        if decision.leading != "fused" and not two_readers:
            raise ValueError(f"{decision.leading} leads, but outputs do not contain {READER_PROBABILITIES}")
        readers = decision.readers
        if readers is None:
            return
        if not two_readers:
            raise ValueError(f"the decision has rules for readers, but outputs do not contain {READER_PROBABILITIES}")
        if unknown := {readers.normal_class, *readers.infarction_classes} - set(self.class_names):
            raise ValueError(f"the rules for readers name {', '.join(sorted(unknown))}, not among class_names")
        if self.preprocessing.tensor.kind != "traces":
            raise ValueError(f"the rules for readers resample traces, but the graph takes {self.input.name}")

    @model_validator(mode="after")
    def _decision_is_about_these_outputs(self) -> Self:
        if self.decision is not None:
            self.check_decision(self.decision)
        return self


class BundleManifest(BundleDraft):
    """A published bundle: the draft, and what publishing added to it."""

    schema_version: Literal[1] = 1
    version: Version
    created_at: AwareDatetime
    preprocessing_fingerprint: Sha256
    files: dict[FileName, Sha256]
    """Every file of the bundle but the manifest and its seal, with its SHA-256 (hex)."""

    @property
    def model_sha256(self) -> str:
        """SHA-256 (hex) of the model."""
        return self.files[MODEL_FILE]

    @property
    def ref(self) -> str:
        """`name/version`: what aliases point at."""
        return f"{self.name}/{self.version}"

    @property
    def draft(self) -> BundleDraft:
        """What the publisher gave."""
        return BundleDraft(**{name: getattr(self, name) for name in BundleDraft.model_fields})

    @model_validator(mode="after")
    def _fingerprint_is_that_of_the_numbers(self) -> Self:
        computed = self.preprocessing.fingerprint
        if computed != self.preprocessing_fingerprint:
            raise PydanticCustomError(
                FINGERPRINT_MISMATCH,
                "the preprocessing numbers have the fingerprint {computed}, expected {stated}",
                {"computed": computed, "stated": self.preprocessing_fingerprint},
            )
        return self

    @model_validator(mode="after")
    def _input_is_what_preprocessing_makes(self) -> Self:
        made = (self.preprocessing.tensor_dtype, self.preprocessing.tensor_shape)
        taken = (self.input.dtype, self.input.shape[1:])
        if made != taken:
            raise ValueError(f"the preprocessing makes {made} of a page, but {self.input.name} takes {taken}")
        return self

    @model_validator(mode="after")
    def _files_hold_the_model_and_no_manifest(self) -> Self:
        if MODEL_FILE not in self.files:
            raise ValueError(f"files must contain {MODEL_FILE}")
        if reserved := self.files.keys() & {MANIFEST_FILE, MANIFEST_SEAL}:
            raise ValueError(f"{', '.join(sorted(reserved))} is written by the registry and cannot be among the files")
        return self
