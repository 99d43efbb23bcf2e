"""A trained network to the graph that is served, and the graph to a published bundle.

The graph takes masks as the preprocessing leaves them, uint8 (pages, 13, height_px, width_px), and gives
``lead_probabilities`` and ``page_probabilities``: scaling, channels and aggregation are inside.
"""

from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from model_registry.golden import GOLDEN_FILE, record_golden
from model_registry.manifest import (
    HISTORY_FILE,
    LEAD_PROBABILITIES,
    METRICS_FILE,
    MODEL_FILE,
    PAGE_PROBABILITIES,
    BundleDraft,
    TensorSpec,
)
from model_registry.registry import Registry
from shared_preproc.spec import MASKS_150, PreprocSpec
from shared_preproc.tensor import Tensor
from trainer.classes import CLASS_NAMES
from trainer.config import Architecture
from trainer.errors import RunError
from trainer.models import fold_channels
from trainer.run import Run
from trainer.session import run_outputs

__all__ = ["LIBRARIES", "PARITY_LIMIT", "PARITY_PAGES", "convert", "export", "page_graph", "run_graph", "write_graph"]

PARITY_PAGES = 20
PARITY_LIMIT = 1e-5
"""Largest difference of a probability between Keras and ONNX Runtime that is published."""

_OPSET = 17  # 18 turns global pooling into slower nodes, and ONNX Runtime runs 17 everywhere it runs at all
_MASKS = "masks"
LIBRARIES = ("keras", "numpy", "onnx", "onnxruntime", "opencv-python-headless", "tensorflow", "tf2onnx")


def write_graph(run: Run) -> bytes:
    """Convert the run's best epoch, check it against Keras on real pages, write ``model.onnx`` and ``parity.json``.

    Raises:
        RunError: the two disagree by more than `PARITY_LIMIT`, or there is no trained epoch.
    """
    epoch = run.best_epoch
    model = keras.models.load_model(run.checkpoint(epoch))
    graph = page_graph(model, run.config.architecture)
    held_out = np.concatenate([run.lead_images("validation").tensors, run.lead_images("test").tensors])
    spread = np.linspace(0, len(held_out) - 1, PARITY_PAGES).round().astype(int)  # pages are in order of class
    parity = {"epoch": epoch, **_parity(model, graph, held_out[np.unique(spread)])}
    if parity["largest_difference"] > PARITY_LIMIT:
        raise RunError(f"ONNX and Keras differ by {parity['largest_difference']:.1e}, over {PARITY_LIMIT:.0e}")
    run.write_bytes(MODEL_FILE, graph)
    run.write_json("parity.json", parity)
    return graph


def page_graph(model: keras.Model, architecture: Architecture, spec: PreprocSpec = MASKS_150) -> bytes:
    """Wrap a lead-image network into the page graph and convert it, on the CPU, to serialized ONNX."""
    folded = fold_channels(model, architecture)
    leads, height_px, width_px = spec.tensor_shape

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec((None, leads, height_px, width_px), tf.uint8, name=_MASKS)]
    )
    def classify_pages(masks: tf.Tensor) -> dict[str, Any]:
        images = tf.reshape(masks, (-1, height_px, width_px, 1))
        by_lead = tf.reshape(folded(images, training=False), (-1, leads, len(CLASS_NAMES)))
        return {LEAD_PROBABILITIES: by_lead, PAGE_PROBABILITIES: tf.reduce_mean(by_lead, axis=1)}

    return convert(classify_pages)


def convert(classify_pages: Any) -> bytes:  # noqa: ANN401 - a tf.function, which has no type
    """Convert a ``tf.function`` with an input signature, whose first axis is pages, to serialized ONNX."""
    with tf.device("/CPU:0"):  # on a GPU an LSTM traces to an op without an ONNX form
        proto, _ = tf2onnx.convert.from_function(
            classify_pages, input_signature=classify_pages.input_signature, opset=_OPSET
        )
    serialized: bytes = _with_named_axes(proto).SerializeToString()
    return serialized


def _with_named_axes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Call the free axis of input and outputs ``pages``, and check the whole."""
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "pages"
    onnx.checker.check_model(proto, full_check=True)
    return proto


def run_graph(graph: bytes, tensors: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Answer for each page of ``tensors`` (pages, …), preprocessed for the graph, as the service's runtime does.

    Gives lead probabilities float32 (pages, leads, classes) and page probabilities float32 (pages, classes).
    """
    by_lead, by_page = run_outputs(graph, tensors, (LEAD_PROBABILITIES, PAGE_PROBABILITIES))
    return by_lead, by_page


def _parity(model: keras.Model, graph: bytes, tensors: NDArray[np.uint8]) -> dict[str, Any]:
    pages, leads, height_px, width_px = tensors.shape
    by_lead, by_page = run_graph(graph, tensors)
    keras_by_lead = model.predict(tensors.reshape(-1, height_px, width_px, 1), verbose=0).reshape(pages, leads, -1)
    largest = max(np.abs(by_lead - keras_by_lead).max(), np.abs(by_page - keras_by_lead.mean(axis=1)).max())
    return {"pages": pages, "largest_difference": float(largest), "limit": PARITY_LIMIT}


def export(run: Run, registry: Registry, name: str | None = None) -> str:
    """Publish the evaluated graph with its report as a new version of ``name`` (the architecture's by default).

    Gives the bundle's ``name/version``.

    Raises:
        RunError: the run has not been evaluated.
        RegistryError: the registry refuses the bundle.
    """
    report = run.read_json("report.json")
    graph = (run.folder / MODEL_FILE).read_bytes()
    files = {MODEL_FILE: graph, "card.md": (run.folder / "report.md").read_bytes()}
    files |= {GOLDEN_FILE: record_golden(MASKS_150, lambda tensor: run_graph(graph, tensor)[1])}
    files |= {METRICS_FILE: (run.folder / "report.json").read_bytes()}
    files |= {HISTORY_FILE: (run.folder / "history.json").read_bytes()}
    return registry.publish(_draft(run, report, name or run.config.architecture), files)


def _draft(run: Run, report: dict[str, Any], name: str) -> BundleDraft:
    leads = len(MASKS_150.layout.leads)
    settings = run.read_json("config.json")
    prepared = {key: value for key, value in settings["prepared"].items() if key != "folder"}
    return BundleDraft(
        name=name,
        description=f"The published {run.config.architecture.upper()} on single lead images, averaged over the page.",
        class_names=CLASS_NAMES,
        preprocessing=MASKS_150,
        input=TensorSpec(name=_MASKS, dtype="uint8", shape=("pages", *MASKS_150.tensor_shape)),
        outputs=(
            TensorSpec(name=LEAD_PROBABILITIES, dtype="float32", shape=("pages", leads, len(CLASS_NAMES))),
            TensorSpec(name=PAGE_PROBABILITIES, dtype="float32", shape=("pages", len(CLASS_NAMES))),
        ),
        metrics=report["headline"],
        calibration=None,
        origin={
            "run": run.folder.name,
            "train": settings["train"],
            "prepared": prepared,
            "parity": run.read_json("parity.json"),
            "libraries": {library: version(library) for library in LIBRARIES},
        },
    )
