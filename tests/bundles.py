"""Small real bundles for tests: an ONNX graph that keeps the contract, published or ready to be."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model_registry.manifest import (
    FINDING_PROBABILITIES,
    LEAD_PROBABILITIES,
    MANIFEST_FILE,
    MANIFEST_SEAL,
    MODEL_FILE,
    PAGE_PROBABILITIES,
    READER_PROBABILITIES,
    BundleDraft,
    FindingSpec,
    TensorSpec,
)
from model_registry.policy import DecisionPolicy, OperatingPoint, ReaderRules
from model_registry.registry import Registry
from shared_preproc.masks import INK
from shared_preproc.spec import MASKS_150, TRACES_50_HZ
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

__all__ = [
    "CLASS_NAMES",
    "CRITICAL",
    "FINDINGS",
    "Said",
    "draft",
    "policy",
    "publish_readers",
    "publish_tiny",
    "reader_draft",
    "reader_model",
    "reader_rules",
    "rewrite_manifest",
    "shipped",
    "tiny_model",
]

CLASS_NAMES = ("abnormal_heartbeat", "history_of_mi", "myocardial_infarction", "normal")
CRITICAL = "myocardial_infarction"
_LEAD_COUNT = len(MASKS_150.layout.leads)
_MASKS = MASKS_150.tensor_shape
_TRACES = TRACES_50_HZ.tensor_shape

FINDINGS = (
    FindingSpec(code="NORM", name="normal ECG", sentence="Nothing abnormal was found.", threshold=0.5),
    FindingSpec(code="AFIB", name="atrial fibrillation", sentence="No P waves, irregular beats.", threshold=0.4),
    FindingSpec(code="MI", name="myocardial infarction", sentence="Signs of a damaged wall.", threshold=0.3),
)


@dataclass(frozen=True)
class Said:
    """What a `reader_model` says about a page; classes in the order of `CLASS_NAMES`."""

    page: Sequence[float] = (0.02, 0.01, 0.01, 0.96)
    class_network: Sequence[float] = (0.03, 0.01, 0.01, 0.95)
    findings_network: Sequence[float] = (0.04, 0.02, 0.02, 0.92)
    findings: Sequence[float] = (0.9, 0.05, 0.02)

    @classmethod
    def unanimous(cls, *by_class: float) -> "Said":
        """Both readers and the page say the same."""
        return cls(by_class, by_class, by_class)

    def outputs(self) -> dict[str, Any]:
        """Each output of the graph, for one page: nested lists."""
        return {
            LEAD_PROBABILITIES: [self.page] * _LEAD_COUNT,
            PAGE_PROBABILITIES: self.page,
            READER_PROBABILITIES: [self.class_network, self.findings_network],
            FINDING_PROBABILITIES: self.findings,
        }


def reader_model(said: Said, resampled: Said | None = None) -> bytes:
    """A graph that takes traces and always says the same, or something else about curves that end early (NaN)."""
    other = (resampled or said).outputs()
    nodes = [
        helper.make_node("IsNaN", ["traces"], ["missing"]),
        helper.make_node("Cast", ["missing"], ["missing_float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["missing_float"], ["ends_early"], axes=[1, 2], keepdims=0),
    ]
    constants, outputs = [], []
    for name, value in said.outputs().items():
        usual = np.array(value, np.float32)[np.newaxis]
        change = np.array(other[name], np.float32)[np.newaxis] - usual
        axes = np.arange(1, usual.ndim, dtype=np.int64)
        for suffix, array in (("usual", usual), ("change", change), ("axes", axes)):
            constants.append(numpy_helper.from_array(array, f"{name}_{suffix}"))
        nodes += [
            helper.make_node("Unsqueeze", ["ends_early", f"{name}_axes"], [f"{name}_flag"]),
            helper.make_node("Mul", [f"{name}_flag", f"{name}_change"], [f"{name}_step"]),
            helper.make_node("Add", [f"{name}_usual", f"{name}_step"], [name]),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["pages", *usual.shape[1:]]))
    traces = helper.make_tensor_value_info("traces", TensorProto.FLOAT, ["pages", *_TRACES])
    graph = helper.make_graph(nodes, "readers", [traces], outputs, initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def tiny_model(class_count: int = 4, *, sharpness: float = 8.0) -> bytes:
    """A graph whose lead probabilities depend on how much of each lead's mask is ink.

    Models of different `sharpness` answer differently, so a test can tell which one it got.
    """
    slope = sharpness / INK
    weights = np.linspace(-slope, slope, class_count, dtype=np.float32).reshape(1, 1, class_count)
    bias = np.cos(np.arange(class_count, dtype=np.float32)).reshape(1, 1, class_count)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["masks"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["pixels"], ["ink"], axes=[2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["ink", "last_axis"], ["ink_column"]),
            helper.make_node("Mul", ["ink_column", "weights"], ["scaled"]),
            helper.make_node("Add", ["scaled", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], [LEAD_PROBABILITIES], axis=-1),
            helper.make_node("ReduceSum", [LEAD_PROBABILITIES, "lead_axis"], ["summed"], keepdims=0),
            helper.make_node("Div", ["summed", "lead_count"], [PAGE_PROBABILITIES]),
        ],
        "tiny",
        [helper.make_tensor_value_info("masks", TensorProto.UINT8, ["pages", *_MASKS])],
        [
            helper.make_tensor_value_info(LEAD_PROBABILITIES, TensorProto.FLOAT, ["pages", _LEAD_COUNT, class_count]),
            helper.make_tensor_value_info(PAGE_PROBABILITIES, TensorProto.FLOAT, ["pages", class_count]),
        ],
        initializer=[
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
            numpy_helper.from_array(np.array([2], np.int64), "last_axis"),
            numpy_helper.from_array(np.array([1], np.int64), "lead_axis"),
            numpy_helper.from_array(np.array(_LEAD_COUNT, np.float32), "lead_count"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def policy(**overrides: Any) -> DecisionPolicy:
    """Thresholds that a page can miss or meet: flags from 0.5, 0.25 or 0.05 on, for 60, 90 or 100 % of the critical."""
    points = [
        OperatingPoint(threshold=threshold, sensitivity=sensitivity, sensitivity_ci95=(0.5, 1.0), flagged=flagged)
        for threshold, sensitivity, flagged in ((0.5, 0.6, 0.01), (0.25, 0.9, 0.05), (0.05, 1.0, 0.3))
    ]
    fields: dict[str, Any] = {
        "target_accuracy": 0.98,
        "report_from": 0.8,
        "accuracy": 0.985,
        "accuracy_ci95": (0.96, 0.995),
        "coverage": 0.82,
        "critical_class": CRITICAL,
        "default_sensitivity": 0.85,
        "operating_points": tuple(points),
    }
    return DecisionPolicy(**(fields | overrides))


def reader_rules(**overrides: Any) -> ReaderRules:
    """Rules that `Said()` meets and a small change of it breaks."""
    fields: dict[str, Any] = {
        "normal_class": "normal",
        "infarction_classes": ("history_of_mi", CRITICAL),
        "class_network_from": dict.fromkeys(CLASS_NAMES, 0.5),
        "findings_network_from": {"abnormal_heartbeat": 0.5, "history_of_mi": 0.5, CRITICAL: 0.5, "normal": 0.7},
        "infarction_sign_from": {"abnormal_heartbeat": 0.3, "normal": 0.2},
    }
    return ReaderRules(**(fields | overrides))


def draft(**overrides: Any) -> BundleDraft:
    """The draft that goes with `tiny_model()`; `class_names` alone also sets the size of the outputs."""
    class_names = overrides.get("class_names", CLASS_NAMES)
    fields: dict[str, Any] = {
        "name": "tiny",
        "description": "Counts ink.",
        "class_names": class_names,
        "preprocessing": MASKS_150,
        "input": TensorSpec(name="masks", dtype="uint8", shape=("pages", *_MASKS)),
        "outputs": (
            TensorSpec(name=LEAD_PROBABILITIES, dtype="float32", shape=("pages", _LEAD_COUNT, len(class_names))),
            TensorSpec(name=PAGE_PROBABILITIES, dtype="float32", shape=("pages", len(class_names))),
        ),
        "metrics": {"accuracy": 0.5},
        "calibration": None,
        "origin": {"run": "test", "seed": 1},
    }
    return BundleDraft(**(fields | overrides))


def publish_tiny(
    registry: Registry,
    name: str = "tiny",
    *,
    files: Mapping[str, bytes] | None = None,
    **overrides: Any,
) -> str:
    """Publish a tiny bundle with a card; give its `name/version`. `files` replace or join the two."""
    described = draft(name=name, **overrides)
    model = tiny_model(len(described.class_names))
    return registry.publish(described, {MODEL_FILE: model, "card.md": b"# Tiny\n", **(files or {})})


def reader_draft(**overrides: Any) -> BundleDraft:
    """The draft that goes with `reader_model()`: two readers, three findings, rules that both must meet."""
    shapes = {name: np.shape(value) for name, value in Said().outputs().items()}
    fields: dict[str, Any] = {
        "name": "readers",
        "description": "Always says the same.",
        "preprocessing": TRACES_50_HZ,
        "input": TensorSpec(name="traces", dtype="float32", shape=("pages", *_TRACES)),
        "outputs": tuple(
            TensorSpec(name=name, dtype="float32", shape=("pages", *shape)) for name, shape in shapes.items()
        ),
        "findings": FINDINGS,
        "decision": policy(readers=reader_rules()),
    }
    return draft(**(fields | overrides))


def publish_readers(
    registry: Registry,
    name: str = "readers",
    said: Said | None = None,
    resampled: Said | None = None,
    **overrides: Any,
) -> str:
    """Publish a `reader_model`; give its `name/version`."""
    model = reader_model(said or Said(), resampled)
    return registry.publish(reader_draft(name=name, **overrides), {MODEL_FILE: model, "card.md": b"# Readers\n"})


def rewrite_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let `change` edit a published manifest, and seal it again, as someone who knows the format could."""
    manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    change(manifest)
    content = json.dumps(manifest).encode()
    (folder / MANIFEST_FILE).write_bytes(content)
    (folder / MANIFEST_SEAL).write_text(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST_FILE}\n")


def shipped() -> "list[ParameterSet]":
    """The shipped bundles by reference, as parameters; others than the default in campaigns only."""
    registry = Registry(REPOSITORY / "models")
    default, refs = registry.aliases()["production"], [bundle.ref for bundle in registry.list().bundles]
    return [pytest.param(ref, marks=[] if ref == default else [pytest.mark.campaign]) for ref in refs]
