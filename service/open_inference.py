"""The Open Inference Protocol, version 2: requests to pages, results to tensors.

Sources: KServe's `inference_rest.md`; Triton's `extension_binary_data.md` for bytes after the JSON.
"""

import base64
import binascii
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from model_registry.manifest import LEAD_PROBABILITIES, PAGE_PROBABILITIES, BundleManifest
from service.classify import ClassificationResult
from service.errors import InvalidInferenceError
from shared_preproc.leads import LEADS

__all__ = ["DECISION", "INPUT", "InferenceAnswer", "ModelMetadata", "TensorMetadata", "encode_answer", "parse_request"]

INPUT = "page"
DECISION = "decision"
_OUTPUTS = (PAGE_PROBABILITIES, LEAD_PROBABILITIES, DECISION)
_MOST_PAGES = 16
# Brackets and commas, none in base64. Parsing 12 MB of them would take seconds and half a gigabyte.
_MOST_MARKS = 1000
_LENGTH = struct.Struct("<I")  # before each element of a BYTES tensor

Parameters = dict[str, bool | int | float | str]
Text = Annotated[str, Field(max_length=256)]


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives."""

    name: str
    datatype: Literal["BYTES", "FP32"]
    shape: tuple[int, ...]
    """-1: the number of pages."""


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: tuple[str, ...]
    platform: Literal["onnx_onnxruntime"] = "onnx_onnxruntime"
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    parameters: dict[str, str]

    @classmethod
    def of(cls, manifest: BundleManifest) -> "ModelMetadata":
        """Describe a bundle; the service makes its graph's input of the page."""
        classes = len(manifest.class_names)
        return cls(
            name=manifest.name,
            versions=(manifest.version,),
            inputs=(TensorMetadata(name=INPUT, datatype="BYTES", shape=(-1,)),),
            outputs=(
                TensorMetadata(name=PAGE_PROBABILITIES, datatype="FP32", shape=(-1, classes)),
                TensorMetadata(name=LEAD_PROBABILITIES, datatype="FP32", shape=(-1, len(LEADS), classes)),
                TensorMetadata(name=DECISION, datatype="BYTES", shape=(-1,)),
            ),
            parameters=_names(manifest),
        )


class _Input(BaseModel):
    name: Literal["page"]
    datatype: Literal["BYTES"]
    shape: Annotated[list[int], Field(min_length=1, max_length=2)]
    parameters: Parameters = {}
    data: list[str | list[str]] | None = None


class _Output(BaseModel):
    name: Literal["page_probabilities", "lead_probabilities", "decision"]
    parameters: Parameters = {}


class _Request(BaseModel):
    id: Text | None = None
    parameters: Parameters = {}
    inputs: Annotated[list[_Input], Field(min_length=1, max_length=1)]
    outputs: list[_Output] | None = None


@dataclass(frozen=True)
class Inference:
    """A parsed request."""

    id: str | None
    pages: tuple[bytes, ...]
    outputs: Mapping[str, bool]
    """By requested tensor: whether its bytes follow the JSON."""


@dataclass(frozen=True)
class InferenceAnswer:
    """A body: JSON, or ``json_bytes`` of JSON and then tensors."""

    body: bytes
    json_bytes: int | None


def parse_request(body: bytes, json_bytes: int | None) -> Inference:
    """Find the pages in the JSON or after it, or raise `InvalidInferenceError`."""
    if json_bytes is not None and json_bytes > len(body):
        raise InvalidInferenceError("an Inference-Header-Content-Length beyond the end of the body")
    head = body[:json_bytes]
    if sum(map(head.count, (b"[", b"{", b","))) > _MOST_MARKS:
        raise InvalidInferenceError("JSON of far more elements than a request has")
    try:
        request = _Request.model_validate_json(head)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # The client may have chosen the other steps of the location.
        raise InvalidInferenceError(f"{(*first['loc'], 'the JSON')[0]}: {first['msg']}") from error
    (one,) = request.inputs
    behind = b"" if json_bytes is None else body[json_bytes:]
    found = _from_json(one.data) if one.data is not None else _from_bytes(behind, one.parameters)
    pages = tuple(islice(found, _MOST_PAGES + 1))
    if not 1 <= len(pages) <= _MOST_PAGES or one.shape not in ([len(pages)], [len(pages), 1]):
        raise InvalidInferenceError(f"{len(pages)} pages in a tensor of the shape {one.shape}, at most {_MOST_PAGES}")
    return Inference(request.id, pages, _wanted(request))


def encode_answer(inference: Inference, results: Sequence[ClassificationResult], request_id: str) -> InferenceAnswer:
    """Encode the results as the request asked."""
    manifest = results[0].manifest
    outputs, behind = [], []
    for name, as_bytes in inference.outputs.items():
        tensor = _tensor(name, results)
        output: dict[str, Any] = {
            "name": name,
            "shape": tensor.shape,
            "datatype": "BYTES" if tensor.dtype == object else "FP32",
        }
        if as_bytes:
            raw = _raw(tensor)
            behind.append(raw)
            output["parameters"] = {"binary_data_size": len(raw)}
        else:
            output["data"] = tensor.ravel().tolist()
        outputs.append(output)
    answer = _Answer(
        id=inference.id or request_id,
        model_name=manifest.name,
        model_version=manifest.version,
        parameters=_names(manifest),
        outputs=outputs,
    )
    head = answer.model_dump_json().encode()
    return InferenceAnswer(head + b"".join(behind), len(head) if behind else None)


class _Answer(BaseModel):
    id: str
    model_name: str
    model_version: str
    parameters: dict[str, str]
    outputs: list[dict[str, Any]]


def _names(manifest: BundleManifest) -> dict[str, str]:
    """Name the axes, the graph and the preprocessing."""
    return {
        "class_names": ",".join(manifest.class_names),
        "leads": ",".join(LEADS),
        "sha256": manifest.model_sha256,
        "preprocessing": manifest.preprocessing_fingerprint,
    }


def _wanted(request: _Request) -> dict[str, bool]:
    by_default = request.parameters.get("binary_data_output") is True
    if not request.outputs:
        return dict.fromkeys(_OUTPUTS, by_default)
    return {one.name: one.parameters.get("binary_data", by_default) is True for one in request.outputs}


def _from_json(data: list[str | list[str]]) -> Iterator[bytes]:
    for row in data:
        for element in [row] if isinstance(row, str) else row:
            try:
                yield base64.b64decode(element, validate=True)
            except (binascii.Error, ValueError) as error:
                raise InvalidInferenceError("an element that is no base64") from error


def _from_bytes(behind: bytes, parameters: Parameters) -> Iterator[bytes]:
    if parameters.get("binary_data_size") != len(behind):
        raise InvalidInferenceError("neither data nor as many bytes behind the JSON as binary_data_size says")
    start = 0
    while start < len(behind):
        content = start + _LENGTH.size
        if content > len(behind):
            raise InvalidInferenceError("bytes behind the JSON that end within a length")
        start = content + _LENGTH.unpack_from(behind, content - _LENGTH.size)[0]
        if start > len(behind):
            raise InvalidInferenceError("bytes behind the JSON that end within an element")
        yield behind[content:start]


def _tensor(name: str, results: Sequence[ClassificationResult]) -> NDArray[Any]:
    if name == PAGE_PROBABILITIES:
        return np.array([list(result.page.values()) for result in results], np.float32)
    if name == LEAD_PROBABILITIES:
        return np.array([[list(one.values()) for one in result.leads.values()] for result in results], np.float32)
    return np.array([result.decision.status for result in results], object)


def _raw(tensor: NDArray[Any]) -> bytes:
    if tensor.dtype != object:
        return tensor.astype("<f4").tobytes()
    return b"".join(_LENGTH.pack(len(one.encode())) + one.encode() for one in tensor)
