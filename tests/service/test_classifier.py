"""ONNX Runtime behind the seam: real sessions on tiny graphs."""

from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from model_registry.bundle import Bundle
from model_registry.manifest import LEAD_PROBABILITIES, MODEL_FILE, PAGE_PROBABILITIES
from model_registry.registry import Registry
from service.errors import BrokenModelError, StartupError
from service.models import onnx as classifier
from service.models.onnx import OnnxClassifier, choose_providers, onnx_opener
from tests.bundles import Said, publish_readers, publish_tiny, reader_model

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    registry = Registry(tmp_path)
    return registry.load(publish_tiny(registry))


def constant_model(leads: list[int], pages: list[int], value: float = 0.25) -> bytes:
    """A graph with the right signature whose outputs are constants."""

    def constant(name: str, shape: list[int]) -> Any:
        size = int(np.prod(shape))
        tensor = helper.make_tensor(name, TensorProto.FLOAT, shape, [value] * size)
        return helper.make_node("Constant", [], [name], value=tensor)

    def output(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["pages", *shape])

    graph = helper.make_graph(
        [constant(LEAD_PROBABILITIES, leads), constant(PAGE_PROBABILITIES, pages)],
        "constant",
        [helper.make_tensor_value_info("masks", TensorProto.UINT8, ["pages", 13, 150, 150])],
        [output(LEAD_PROBABILITIES, 13, 4), output(PAGE_PROBABILITIES, 4)],
    )
    model: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return model


def test_batches_of_any_size(bundle: Bundle) -> None:
    tensor = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (3, 13, 150, 150))
    model = OnnxClassifier(bundle, wanted="auto", threads=1)
    answer = model.run(tensor)
    assert (answer.leads.shape, answer.pages.shape) == ((3, 13, 4), (3, 4))
    np.testing.assert_allclose(answer.pages[1:2], model.run(tensor[1:2]).pages, atol=1e-6)
    assert model.provider == "cpu"


def test_readers_and_findings_where_the_manifest_lists_them(bundle: Bundle, tmp_path: Path) -> None:
    one_reader = OnnxClassifier(bundle, wanted="cpu", threads=1).run(np.zeros((2, 13, 150, 150), np.uint8))
    assert (one_reader.readers, one_reader.findings) == (None, None)
    registry = Registry(tmp_path)
    said = Said(findings=(0.1, 0.2, 0.3))
    two = OnnxClassifier(registry.load(publish_readers(registry, said=said)), wanted="cpu", threads=1)
    answer = two.run(np.zeros((2, 2000, 3), np.float32))
    assert answer.readers is not None
    assert answer.findings is not None
    np.testing.assert_allclose(answer.readers, [[said.class_network, said.findings_network]] * 2, atol=1e-6)
    np.testing.assert_allclose(answer.findings, [said.findings] * 2, atol=1e-6)
    np.testing.assert_array_equal(answer.led_by("fused"), answer.pages)
    np.testing.assert_array_equal(answer.led_by("class_network"), answer.readers[:, 0])
    np.testing.assert_array_equal(answer.led_by("findings_network"), answer.readers[:, 1])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said(class_network=(0.5, 0.5, 0.5, 0.5)), "no probabilities"),
        (Said(findings_network=(nan,) * 4), "no probabilities"),
        (Said(findings=(0.5, 1.5, 0.5)), "no probabilities"),
        (Said(findings=(0.5, -0.5, 0.5)), "no probabilities"),
        (Said(findings=(0.5, nan, 0.5)), "no probabilities"),
        (Said(findings=(0.5, 0.5)), "shape"),
    ],
)
def test_readers_or_findings_off_contract_are_refused(tmp_path: Path, said: Said, reason: str) -> None:
    registry = Registry(tmp_path)
    manifest = registry.load(publish_readers(registry)).manifest
    with pytest.raises(BrokenModelError, match=f"readers/1: .*{reason}"):
        OnnxClassifier(Bundle(manifest, reader_model(said)), wanted="cpu", threads=1)


def test_the_session_is_built_from_the_verified_bytes(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / bundle.manifest.ref / MODEL_FILE).unlink()
    assert OnnxClassifier(bundle, wanted="cpu", threads=1).provider == "cpu"


def test_threads_do_not_spin() -> None:
    options = classifier._options(threads=3)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (constant_model([1, 12, 4], [1, 4]), "ONNX Runtime cannot run it|shape"),
        (constant_model([1, 13, 4], [1, 4], value=0.5), "no probabilities"),
        (constant_model([1, 13, 4], [1, 4], value=float("nan")), "no probabilities"),
        (b"not a graph", "ONNX Runtime cannot run it"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_refused(bundle: Bundle, model: bytes, reason: str) -> None:
    with pytest.raises(BrokenModelError, match=f"tiny/1: .*({reason})"):
        OnnxClassifier(Bundle(bundle.manifest, model), wanted="cpu", threads=1)


@pytest.mark.parametrize(
    ("wanted", "available", "expected"),
    [
        ("cpu", [CPU], [CPU]),
        ("cpu", [CUDA, CPU], [CPU]),
        ("auto", [CPU], [CPU]),
        ("auto", [CUDA, CPU], [CUDA, CPU]),
        ("cuda", [CUDA, CPU], [CUDA, CPU]),
    ],
)
def test_providers_to_ask_for(wanted: Any, available: list[str], expected: list[str]) -> None:
    assert choose_providers(wanted, available) == expected


def test_demanding_cuda_of_a_package_without_it_is_an_error() -> None:
    with pytest.raises(StartupError, match="no CUDA"):
        choose_providers("cuda", [CPU])


def test_demanded_cuda_is_checked_in_a_session(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    if CUDA in ort.get_available_providers():
        pytest.skip("CUDA may work here")
    opened = OnnxClassifier(bundle, wanted="auto", threads=1)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(ort, "InferenceSession", lambda *_, **__: opened._session)
    with pytest.raises(StartupError, match="cannot use CUDA on this machine"):
        onnx_opener("cuda", threads=1)
    with pytest.raises(BrokenModelError, match="runs on cpu although cuda is demanded"):
        OnnxClassifier(bundle, wanted="cuda", threads=1)
    assert onnx_opener("auto", threads=1)(bundle).provider == "cpu"
