"""Whether model.onnx is the graph its manifest describes, whole in itself. Runs nothing."""

from collections.abc import Iterable, Iterator

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]

from model_registry.errors import ExternalDataError, InvalidModelError, SignatureMismatchError
from model_registry.manifest import BundleManifest, TensorSpec

__all__ = ["check_graph"]

_DTYPES: dict[int, str] = {onnx.TensorProto.UINT8: "uint8", onnx.TensorProto.FLOAT: "float32"}


def check_graph(model: bytes, manifest: BundleManifest) -> None:
    """Judge the bytes of a model against its manifest.

    Raises:
        InvalidModelError: the bytes are no ONNX model, or one that the ONNX checker refuses.
        ExternalDataError: A tensor anywhere in it is kept in another file.
        SignatureMismatchError: its inputs or outputs are not those of the manifest.
    """
    proto = _parse(model, manifest.ref)
    _refuse_external_data(proto, manifest.ref)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        complaint = str(error).partition("\n")[0].rstrip(".")
        raise InvalidModelError(manifest.ref, f"the ONNX checker refuses model.onnx: {complaint}") from error
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    _match("inputs", inputs, (manifest.input,), manifest.ref)
    _match("outputs", proto.graph.output, manifest.outputs, manifest.ref)


def _parse(model: bytes, ref: str) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(model)
    except DecodeError as error:
        raise InvalidModelError(ref, "model.onnx is no ONNX model") from error


def _refuse_external_data(proto: onnx.ModelProto, ref: str) -> None:
    # onnx.external_data_helper does not look into sparse tensors, training graphs or functions' subgraphs; every
    # message of the file is visited instead, whatever field it hangs from.
    pending: list[Message] = [proto]
    while pending:
        message = pending.pop()
        if isinstance(message, onnx.TensorProto):
            if message.data_location == onnx.TensorProto.EXTERNAL or message.external_data:
                raise ExternalDataError(ref, f"the tensor {message.name!r} of model.onnx is kept outside the file")
        else:
            pending.extend(_submessages(message))


def _submessages(message: Message) -> Iterator[Message]:
    for field, value in message.ListFields():
        if field.message_type is not None:
            yield from [value] if isinstance(value, Message) else value


def _match(side: str, values: Iterable[onnx.ValueInfoProto], specs: tuple[TensorSpec, ...], ref: str) -> None:
    found = {value.name: _of_value(value) for value in values}
    expected = {spec.name: _of_spec(spec) for spec in specs}
    if found != expected:
        raise SignatureMismatchError(ref, f"the {side} of model.onnx are {_list(found)}; expected {_list(expected)}")


def _of_value(value: onnx.ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    dtype = _DTYPES.get(tensor.elem_type, f"type {tensor.elem_type}")
    return _in_words(dtype, (axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim))


def _of_spec(spec: TensorSpec) -> str:
    return _in_words(spec.dtype, (size if isinstance(size, int) else None for size in spec.shape))


def _in_words(dtype: str, sizes: Iterable[int | None]) -> str:
    # The name of a free axis is the exporter's choice, so it is left out of the comparison.
    return f"{dtype} ({', '.join('free' if size is None else str(size) for size in sizes)})"


def _list(tensors: dict[str, str]) -> str:
    return ", ".join(f"{name} {tensors[name]}" for name in sorted(tensors)) or "none"
