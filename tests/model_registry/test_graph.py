"""Which graphs may be published: whole in themselves, valid, and with the inputs and outputs they are said to have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from model_registry.errors import BrokenBundleError, ExternalDataError, InvalidModelError, SignatureMismatchError
from model_registry.manifest import MODEL_FILE, TensorSpec
from model_registry.registry import Registry
from tests.bundles import draft, publish_tiny, tiny_model


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def assert_refused(registry: Registry, model: bytes, kind: type[BrokenBundleError], **overrides: Any) -> str:
    with pytest.raises(kind) as caught:
        publish_tiny(registry, files={MODEL_FILE: model}, **overrides)
    assert registry.list() == ((), ())
    return caught.value.reason


def external(name: str = "elsewhere") -> onnx.TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def hidden_location() -> onnx.TensorProto:
    """Names a file although it claims to hold its own data."""
    tensor = external()
    tensor.data_location = TensorProto.DEFAULT
    return tensor


def body(*initializer: onnx.TensorProto) -> onnx.GraphProto:
    return helper.make_graph([], "body", [], [], initializer=initializer)


def in_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(external())


def in_hidden_location(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(hidden_location())


def in_sparse_initializer(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().values.CopyFrom(external())


def in_constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["constant"], value=external()))


def in_attribute_tensors(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Any", [], ["any"], domain="custom", values=[external()]))


def in_if_branch(model: onnx.ModelProto) -> None:
    branches = {"then_branch": body(), "else_branch": body(external())}
    model.graph.node.append(helper.make_node("If", ["condition"], ["chosen"], **branches))


def in_loop_inside_if(model: onnx.ModelProto) -> None:
    loop = helper.make_graph([helper.make_node("Loop", [], ["out"], body=body(external()))], "loop", [], [])
    model.graph.node.append(helper.make_node("If", ["condition"], ["chosen"], then_branch=loop, else_branch=body()))


def in_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("If", ["condition"], ["chosen"], then_branch=body(external()), else_branch=body())
    model.functions.add(name="hidden", domain="custom").node.append(node)


def in_function_default(model: onnx.ModelProto) -> None:
    model.functions.add(name="hidden").attribute_proto.append(helper.make_attribute("value", external()))


def in_training_graph(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.CopyFrom(body(external()))


@pytest.mark.parametrize(
    "hide",
    [
        in_initializer,
        in_hidden_location,
        in_sparse_initializer,
        in_constant,
        in_attribute_tensors,
        in_if_branch,
        in_loop_inside_if,
        in_function,
        in_function_default,
        in_training_graph,
    ],
)
def test_external_data_is_found_wherever_it_hides(registry: Registry, hide: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load_model_from_string(tiny_model())
    hide(model)
    assert "'elsewhere'" in assert_refused(registry, model.SerializeToString(), ExternalDataError)


@pytest.mark.parametrize("model", [b"", b"no ONNX at all", b"\x00" * 64, tiny_model()[:-100], tiny_model() + b"\xff"])
def test_bytes_that_are_no_onnx_model_are_refused(registry: Registry, model: bytes) -> None:
    assert_refused(registry, model, InvalidModelError)


def test_a_model_that_the_checker_refuses_is_refused(registry: Registry) -> None:
    model = onnx.load_model_from_string(tiny_model())
    model.graph.node[0].op_type = "NoSuchOperator"
    assert "NoSuchOperator" in assert_refused(registry, model.SerializeToString(), InvalidModelError)


def change_output_name(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = model.graph.output[1].name = "page_scores"


def change_input_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8


def change_input_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 151


def fix_the_pages(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def drop_output(model: onnx.ModelProto) -> None:
    del model.graph.output[1]


def add_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("threshold", TensorProto.FLOAT, []))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_output_name, "page_scores float32 (free, 4); expected"),
        (change_input_type, "masks type 3 (free, 13, 150, 150); expected masks uint8 (free, 13, 150, 150)"),
        (change_input_size, "masks uint8 (free, 13, 151, 150); expected masks uint8 (free, 13, 150, 150)"),
        (fix_the_pages, "masks uint8 (1, 13, 150, 150); expected masks uint8 (free, 13, 150, 150)"),
        (drop_output, "the outputs of model.onnx are lead_probabilities float32 (free, 13, 4); expected"),
        (add_input, "threshold float32 (); expected"),
    ],
)
def test_inputs_and_outputs_are_those_of_the_manifest(
    registry: Registry, change: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    model = onnx.load_model_from_string(tiny_model())
    change(model)
    assert reason in assert_refused(registry, model.SerializeToString(), SignatureMismatchError)


def test_class_count_must_match_the_graph(registry: Registry) -> None:
    assert_refused(registry, tiny_model(4), SignatureMismatchError, class_names=("a", "b", "c"))


def test_the_name_of_a_free_axis_is_the_exporters_choice(registry: Registry) -> None:
    model = onnx.load_model_from_string(tiny_model())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "unk__7"
    model.graph.output[1].type.tensor_type.shape.dim[0].ClearField("dim_param")
    assert publish_tiny(registry, files={MODEL_FILE: model.SerializeToString()}) == "tiny/1"


def test_a_constant_listed_among_the_inputs_is_no_input(registry: Registry) -> None:
    model = onnx.load_model_from_string(tiny_model())
    model.graph.input.append(helper.make_tensor_value_info("bias", TensorProto.FLOAT, [1, 1, 4]))
    assert publish_tiny(registry, files={MODEL_FILE: model.SerializeToString()}) == "tiny/1"


def test_manifest_frees_an_axis_only_where_the_graph_does(registry: Registry) -> None:
    outputs = draft().outputs
    open_axis = TensorSpec(name=outputs[1].name, dtype="float32", shape=("pages", "classes"))
    assert_refused(registry, tiny_model(), SignatureMismatchError, outputs=(outputs[0], open_axis))
