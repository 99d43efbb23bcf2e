"""A small bundle with every output a graph may have: answers that depend on the height of the curves."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_registry.manifest import (
    FINDING_PROBABILITIES,
    LEAD_PROBABILITIES,
    MODEL_FILE,
    PAGE_PROBABILITIES,
    READER_PROBABILITIES,
    BundleDraft,
    FindingSpec,
    TensorSpec,
)
from model_registry.policy import DecisionPolicy, OperatingPoint, ReaderRules
from model_registry.registry import Registry
from shared_preproc.spec import TRACES_50_HZ
from trainer.classes import CLASS_NAMES

FINDINGS = ("NORM", "MI", "AFIB")

_LEADS = len(TRACES_50_HZ.layout.leads)
_SHAPE = TRACES_50_HZ.tensor_shape


def policy(*, readers: bool = True, report_from: float = 0.3) -> DecisionPolicy:
    """Thresholds that many answers meet."""
    rules = ReaderRules(
        normal_class="normal",
        infarction_classes=("history_of_mi", "myocardial_infarction"),
        class_network_from=dict.fromkeys(CLASS_NAMES, 0.02),
        findings_network_from=dict.fromkeys(CLASS_NAMES, 0.1) | {"normal": 0.2},
        infarction_sign_from={"normal": 0.9},
    )
    return DecisionPolicy(
        target_accuracy=0.5,
        report_from=report_from,
        accuracy=0.5,
        accuracy_ci95=(0.4, 0.6),
        coverage=0.5,
        critical_class="myocardial_infarction",
        default_sensitivity=1.0,
        operating_points=(OperatingPoint(threshold=0.9, sensitivity=1.0, sensitivity_ci95=(0.8, 1.0), flagged=0.1),),
        readers=rules if readers else None,
    )


def publish(folder: Path, *, plain: bool = False, decision: DecisionPolicy | None = None) -> str:
    """Publish the bundle `stub` in the registry ``folder``; ``plain``: without readers, findings and policy."""
    outputs = [
        TensorSpec(name=LEAD_PROBABILITIES, dtype="float32", shape=("pages", _LEADS, 4)),
        TensorSpec(name=PAGE_PROBABILITIES, dtype="float32", shape=("pages", 4)),
    ]
    if not plain:
        outputs += [
            TensorSpec(name=READER_PROBABILITIES, dtype="float32", shape=("pages", 2, 4)),
            TensorSpec(name=FINDING_PROBABILITIES, dtype="float32", shape=("pages", len(FINDINGS))),
        ]
    draft = BundleDraft(
        name="stub",
        description="Measures the curves' height.",
        class_names=CLASS_NAMES,
        preprocessing=TRACES_50_HZ,
        input=TensorSpec(name="traces", dtype="float32", shape=("pages", *_SHAPE)),
        outputs=tuple(outputs),
        metrics={},
        calibration=None,
        findings=()
        if plain
        else tuple(FindingSpec(code=code, name=code, sentence=code, threshold=0.5) for code in FINDINGS),
        decision=decision,
        origin={},
    )
    return Registry(folder).publish(draft, {MODEL_FILE: _graph([output.name for output in outputs])})


def _graph(outputs: list[str]) -> bytes:
    shapes: dict[str, list[str | int | None]] = {
        LEAD_PROBABILITIES: ["pages", _LEADS, 4],
        PAGE_PROBABILITIES: ["pages", 4],
        READER_PROBABILITIES: ["pages", 2, 4],
        FINDING_PROBABILITIES: ["pages", len(FINDINGS)],
    }
    constants: dict[str, NDArray[Any]] = {
        "zero": np.zeros(1, np.float32),
        "samples": np.array([1, 2], np.int64),
        "axis": np.array([1], np.int64),
        "slopes": np.array([[20.0, -10.0, 5.0, -20.0]], np.float32),
        "offsets": np.array([[-4.0, 2.0, -1.0, 4.0]], np.float32),
        "lead_copies": np.array([1, _LEADS, 1], np.int64),
        "reader_copies": np.array([1, 2, 1], np.int64),
        "finding_slopes": np.array([[-10.0, 10.0, 20.0]], np.float32),
    }
    nodes = [
        helper.make_node("IsNaN", ["traces"], ["gaps"]),
        helper.make_node("Where", ["gaps", "zero", "traces"], ["curves"]),
        helper.make_node("Abs", ["curves"], ["heights"]),
        helper.make_node("ReduceMean", ["heights"], ["height"], axes=[1, 2], keepdims=0),
        helper.make_node("Unsqueeze", ["height", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "slopes"], ["sloped"]),
        helper.make_node("Add", ["sloped", "offsets"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [PAGE_PROBABILITIES], axis=-1),
        helper.make_node("Unsqueeze", [PAGE_PROBABILITIES, "axis"], ["single"]),
        helper.make_node("Tile", ["single", "lead_copies"], [LEAD_PROBABILITIES]),
        helper.make_node("Tile", ["single", "reader_copies"], [READER_PROBABILITIES]),
        helper.make_node("Mul", ["column", "finding_slopes"], ["finding_logits"]),
        helper.make_node("Sigmoid", ["finding_logits"], [FINDING_PROBABILITIES]),
    ]
    graph = helper.make_graph(
        nodes,
        "stub",
        [helper.make_tensor_value_info("traces", TensorProto.FLOAT, ["pages", *_SHAPE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
