"""Bundles that pass every check when they are loaded, and misbehave on a page with ink."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model_registry.bundle import Bundle
from model_registry.manifest import PAGE_PROBABILITIES
from model_registry.registry import Registry
from service.errors import BrokenModelError
from service.models.onnx import OnnxClassifier
from tests.bundles import draft, policy, publish_tiny, tiny_model
from tests.factories import page_jpeg
from tests.service.process import Process, environment, running
from tests.service.serving import problem, serving, settings_for

BLANK, INK = np.zeros((1, 13, 150, 150), np.uint8), np.full((1, 13, 150, 150), 255, np.uint8)
SAY_NO_PROBABILITIES = {"nan": (np.nan,) * 4, "5": (5, -1, -1, -2), "0": (0,) * 4, "infinity": (np.inf, 0, 0, 0)}


def on_ink(nodes: list[Any], constants: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """The tiny graph, whose page probabilities `usual` go through ``nodes``, which may ask for `has_ink`."""
    model = onnx.load_model_from_string(tiny_model())
    for node in model.graph.node:
        node.output[:] = ["usual" if name == PAGE_PROBABILITIES else name for name in node.output]
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["pixels"], ["darkest"], keepdims=0),
            helper.make_node("Greater", ["darkest", "half"], ["has_ink"]),
            *nodes,
        ]
    )
    content: bytes = model.SerializeToString()
    return content


def saying(values: tuple[float, ...]) -> bytes:
    node = helper.make_node("Where", ["has_ink", "wrong", "usual"], [PAGE_PROBABILITIES])
    return on_ink([node], {"wrong": np.array([values], np.float32)})


def hanging() -> bytes:
    """A loop of 2^62 turns."""
    entering = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
    ]
    leaving = helper.make_tensor_value_info("same", TensorProto.FLOAT, None)
    go_on = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["value"], ["same"])],
        "turn",
        entering,
        [go_on, leaving],
    )
    loop = helper.make_node("Loop", ["turns", "has_ink", "usual"], [PAGE_PROBABILITIES], body=body)
    return on_ink([loop], {"turns": np.array(2**62)})


def publish(folder: Path, model: bytes, name: str = "wrong") -> Bundle:
    registry = Registry(folder)
    reference = registry.publish(draft(name=name, decision=policy(report_from=0.0)), {"model.onnx": model})
    return registry.load(reference)


@pytest.mark.parametrize("said", SAY_NO_PROBABILITIES)
def test_every_answer_is_checked(tmp_path: Path, said: str) -> None:
    model = OnnxClassifier(publish(tmp_path, saying(SAY_NO_PROBABILITIES[said])), wanted="cpu", threads=1)
    assert model.run(BLANK).pages.sum() == pytest.approx(1)
    with pytest.raises(BrokenModelError, match="no probabilities"):
        model.run(INK)


def test_graph_that_never_ends_is_stopped_and_marked(tmp_path: Path) -> None:
    model = OnnxClassifier(publish(tmp_path, hanging()), wanted="cpu", threads=1, run_timeout_s=0.3)
    assert model.run(BLANK).pages.sum() == pytest.approx(1)
    with pytest.raises(BrokenModelError, match=r"did not answer within 0\.3 s"):
        model.run(INK)
    with pytest.raises(BrokenModelError, match=r"did not answer within 0\.3 s"):
        model.run(BLANK)


def test_no_interface_answers_without_probabilities(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_tiny(registry))
    publish(tmp_path, saying(SAY_NO_PROBABILITIES["nan"]))
    page = base64.b64encode(page_jpeg()).decode()
    asked = {"inputs": [{"name": "page", "datatype": "BYTES", "shape": [1], "data": [page]}]}
    with serving(settings_for(tmp_path)) as client:
        problem(client.post("/classify?model=wrong", content=page_jpeg()), 503, "broken_model")
        answer = client.post("/v2/models/wrong/infer", json=asked)
        assert (answer.status_code, answer.json()["error"][:12]) == (503, "broken_model")
        assert client.post("/classify", content=page_jpeg()).is_success


def test_hung_default_model_makes_the_service_unready(tmp_path: Path) -> None:
    bundle = publish(tmp_path, hanging())
    Registry(tmp_path).promote(bundle.manifest.ref)
    with serving(
        settings_for(tmp_path), lambda one: OnnxClassifier(one, wanted="cpu", threads=1, run_timeout_s=0.3)
    ) as client:
        problem(client.post("/classify", content=page_jpeg()), 503, "broken_model")
        body = problem(client.get("/health"), 503, "not_ready")
        assert "did not answer" in body["found"]
        assert client.get("/health/live").is_success


@pytest.mark.parametrize("stop", [Process.terminate, pytest.param(Process.interrupt, marks=pytest.mark.campaign)])
def test_hung_model_does_not_delay_the_end(tmp_path: Path, stop: Callable[[Process], None]) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_tiny(registry))
    publish(tmp_path, hanging())
    with running(environment(tmp_path, ECG_WORKERS="1", ECG_SHUTDOWN_GRACE_S="1")) as process:
        with pytest.raises(httpx.ReadTimeout):
            process.client.post("/classify?model=wrong", content=page_jpeg(), timeout=0.5)
        began_s = time.monotonic()
        stop(process)
        process.wait()
        assert time.monotonic() - began_s < 8
