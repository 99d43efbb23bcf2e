"""Small real bundles for tests: an ONNX graph that keeps the contract, published or ready to be."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_registry.manifest import (
    EMBEDDING_DISTANCE,
    LEAD_PROBABILITIES,
    MANIFEST_FILE,
    MANIFEST_SEAL,
    MODEL_FILE,
    PAGE_PROBABILITIES,
    BundleDraft,
    TensorSpec,
)
from model_registry.policy import DecisionPolicy, OperatingPoint
from model_registry.registry import Registry
from shared_preproc.masks import INK
from shared_preproc.spec import MASKS_150

__all__ = ["CLASS_NAMES", "CRITICAL", "draft", "policy", "publish_tiny", "rewrite_manifest", "tiny_model"]

CLASS_NAMES = ("abnormal_heartbeat", "history_of_mi", "myocardial_infarction", "normal")
CRITICAL = "myocardial_infarction"
_LEAD_COUNT = len(MASKS_150.layout.leads)
_MASKS = MASKS_150.tensor_shape


def tiny_model(class_count: int = 4, *, sharpness: float = 8.0, with_distance: bool = False) -> bytes:
    """A graph whose lead probabilities depend on how much of each lead's mask is ink.

    Models of different `sharpness` answer differently, so a test can tell which one it got. The distance, where it is
    wanted, is the page's share of ink.
    """
    optional_nodes = [
        helper.make_node("ReduceMean", ["ink"], ["mean_ink"], axes=[1], keepdims=0),
        helper.make_node("Div", ["mean_ink", "full_ink"], [EMBEDDING_DISTANCE]),
    ]
    optional_constant = numpy_helper.from_array(np.array(INK, np.float32), "full_ink")
    optional_output = helper.make_tensor_value_info(EMBEDDING_DISTANCE, TensorProto.FLOAT, ["pages"])
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
            *(optional_nodes if with_distance else []),
        ],
        "tiny",
        [helper.make_tensor_value_info("masks", TensorProto.UINT8, ["pages", *_MASKS])],
        [
            helper.make_tensor_value_info(LEAD_PROBABILITIES, TensorProto.FLOAT, ["pages", _LEAD_COUNT, class_count]),
            helper.make_tensor_value_info(PAGE_PROBABILITIES, TensorProto.FLOAT, ["pages", class_count]),
            *([optional_output] if with_distance else []),
        ],
        initializer=[
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
            numpy_helper.from_array(np.array([2], np.int64), "last_axis"),
            numpy_helper.from_array(np.array([1], np.int64), "lead_axis"),
            numpy_helper.from_array(np.array(_LEAD_COUNT, np.float32), "lead_count"),
            *([optional_constant] if with_distance else []),
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


def draft(*, with_distance: bool = False, **overrides: Any) -> BundleDraft:
    """The draft that goes with `tiny_model()`; `class_names` alone also sets the size of the outputs."""
    class_names = overrides.get("class_names", CLASS_NAMES)
    distance = TensorSpec(name=EMBEDDING_DISTANCE, dtype="float32", shape=("pages",))
    fields: dict[str, Any] = {
        "name": "tiny",
        "description": "Counts ink.",
        "class_names": class_names,
        "preprocessing": MASKS_150,
        "input": TensorSpec(name="masks", dtype="uint8", shape=("pages", *_MASKS)),
        "outputs": (
            TensorSpec(name=LEAD_PROBABILITIES, dtype="float32", shape=("pages", _LEAD_COUNT, len(class_names))),
            TensorSpec(name=PAGE_PROBABILITIES, dtype="float32", shape=("pages", len(class_names))),
            *([distance] if with_distance else []),
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
    with_distance: bool = False,
    **overrides: Any,
) -> str:
    """Publish a tiny bundle with a card; give its `name/version`. `files` replace or join the two."""
    described = draft(name=name, with_distance=with_distance, **overrides)
    model = tiny_model(len(described.class_names), with_distance=with_distance)
    return registry.publish(described, {MODEL_FILE: model, "card.md": b"# Tiny\n", **(files or {})})


def rewrite_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let `change` edit a published manifest, and seal it again, as someone who knows the format could."""
    manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    change(manifest)
    content = json.dumps(manifest).encode()
    (folder / MANIFEST_FILE).write_bytes(content)
    (folder / MANIFEST_SEAL).write_text(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST_FILE}\n")
