"""The network that finds names on a flat page: its layers, its training, and its graph as ONNX."""

from collections.abc import Callable

import keras
import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from digitize.names import TOKENS
from digitize.networks import CROP_PX
from trainer.pages.name_patches import Crops, Patches

__all__ = ["finder_graph", "reader_graph", "train_finder", "train_reader"]

_STEM = ((12, 2), (16, 1), (32, 2))  # channels, stride
_WIDTH = 40
_DILATIONS = (1, 2, 4, 4, 2, 1)
_BATCH = 24
_FOCUS = 2.0
_BOX_SHARE = 0.15
_ANYTHING = 255
_OPSET = 17


def train_finder(
    patches: Patches, epochs: int, seed: int, after_epoch: Callable[[keras.Model], None] = lambda _: None
) -> keras.Model:
    """Train the detector: focal loss over cells (Lin et al. 2017), and the box where a name stands."""
    keras.utils.set_random_seed(seed)
    model = _finder()
    steps = len(patches.ink) // _BATCH
    schedule = keras.optimizers.schedules.CosineDecay(1e-4, epochs * steps, warmup_target=3e-3, warmup_steps=steps // 4)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function  # type: ignore[untyped-decorator]
    def step(ink: tf.Tensor, token: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = _loss(model(ink, training=True), token, box)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    random = np.random.default_rng(seed)
    for epoch in range(epochs):
        order, losses = random.permutation(len(patches.ink)), []
        for at in range(0, steps * _BATCH, _BATCH):
            chosen = order[at : at + _BATCH]
            ink = patches.ink[chosen].astype(np.float32)[..., np.newaxis] / 255
            losses.append(float(step(ink, patches.token[chosen].astype(np.int32), patches.box[chosen])))
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
        after_epoch(model)
    return model


def _finder() -> keras.Model:
    layers = keras.layers
    ink = keras.Input((None, None, 1))
    x = ink
    for channels, stride in _STEM:
        x = layers.Conv2D(channels, 3, stride, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(_WIDTH, 1, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for dilation in _DILATIONS:
        y = layers.DepthwiseConv2D(3, padding="same", dilation_rate=dilation, use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(_WIDTH, 1, use_bias=False)(y))
        x = layers.ReLU()(layers.Add()([x, y]))
    start = np.zeros(len(TOKENS) + 1, np.float32)
    start[0] = 5.0
    logits = layers.Conv2D(len(TOKENS) + 1, 1, bias_initializer=keras.initializers.Constant(start))(x)
    box = layers.Conv2D(4, 1)(x)
    return keras.Model(ink, [logits, box])


def _loss(answer: tuple[tf.Tensor, tf.Tensor], token: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    logits, boxes = answer
    counted = tf.cast(token != _ANYTHING, tf.float32)
    named = tf.cast((token > 0) & (token != _ANYTHING), tf.float32)
    truth = tf.where(token == _ANYTHING, 0, token)
    cross = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits)
    focal = cross * (1 - tf.exp(-cross)) ** _FOCUS
    names = tf.reduce_sum(named) + 1.0
    off = tf.reduce_sum(tf.abs(boxes - box), axis=-1)
    return tf.reduce_sum(focal * counted) / names + _BOX_SHARE * tf.reduce_sum(off * named) / names


def finder_graph(model: keras.Model) -> bytes:
    """Write the network as ONNX, batch normalisation folded: ink (1, 1, rows, columns) to probabilities and boxes."""
    graph = _Graph()
    layers = [layer for layer in model.layers if layer.weights]
    at = "ink"
    for index in range(len(_STEM)):
        at = graph.convolve(at, layers[2 * index], layers[2 * index + 1], relu=True)
    rest = layers[2 * len(_STEM) :]
    at = graph.convolve(at, rest[0], rest[1], relu=True)
    for index in range(len(_DILATIONS)):
        depth, depth_norm, point, point_norm = rest[2 + 4 * index : 6 + 4 * index]
        inner = graph.convolve(at, depth, depth_norm, relu=True)
        at = graph.relu(graph.node("Add", [at, graph.convolve(inner, point, point_norm)]))
    logits, box = rest[-2:]
    tokens = graph.node("Softmax", [graph.convolve(at, logits, None)], axis=1)
    graph.node("Concat", [tokens, graph.convolve(at, box, None)], axis=1, output="cells")
    size: list[int | str] = ["rows", "columns"]
    return graph.bytes([1, 1, *size], "cells", [1, len(TOKENS) + 5, "cell_rows", "cell_columns"])


def train_reader(
    crops: Crops, epochs: int, seed: int, after_epoch: Callable[[keras.Model], None] = lambda _: None
) -> keras.Model:
    """Train the network that reads a crop."""
    keras.utils.set_random_seed(seed)
    model = _reader()
    steps = len(crops.ink) // _READER_BATCH
    schedule = keras.optimizers.schedules.CosineDecay(1e-4, epochs * steps, warmup_target=2e-3, warmup_steps=steps // 4)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    ink = crops.ink[..., np.newaxis].astype(np.float32) / 255
    for epoch in range(epochs):
        history = model.fit(
            ink,
            crops.token.astype(np.int32),
            batch_size=_READER_BATCH,
            epochs=epoch + 1,
            initial_epoch=epoch,
            verbose=0,
        )
        print(
            f"epoch {epoch + 1}: " + ", ".join(f"{name} {values[-1]:.4f}" for name, values in history.history.items()),
            flush=True,
        )
        after_epoch(model)
    return model


_READER_BATCH = 64
_READER_STEM = (
    (16, 5, 2),
    (32, 3, 1),
    (48, 3, 1),
    (64, 3, 1),
)  # channels, kernel, stride; pooled after all but the first


def _reader() -> keras.Model:
    layers = keras.layers
    ink = keras.Input((*CROP_PX, 1))
    x = ink
    for index, (channels, kernel, stride) in enumerate(_READER_STEM):
        x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        if index:
            x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.3)(x)
    x = layers.Conv2D(len(TOKENS) + 1, x.shape[1:3])(x)
    return keras.Model(ink, layers.Flatten()(x))


def reader_graph(model: keras.Model) -> bytes:
    """Write the reading network as ONNX: crops (any, 1, *CROP_PX) to probabilities (any, tokens + 1, 1, 1)."""
    graph = _Graph()
    layers = [layer for layer in model.layers if layer.weights]
    at = "ink"
    for index in range(len(_READER_STEM)):
        at = graph.convolve(at, layers[2 * index], layers[2 * index + 1], relu=True)
        if index:
            at = graph.node("MaxPool", [at], kernel_shape=[2, 2], strides=[2, 2])
    graph.node("Softmax", [graph.convolve(at, layers[-1], None)], axis=1, output="tokens")
    return graph.bytes(["crops", 1, *CROP_PX], "tokens", ["crops", len(TOKENS) + 1, 1, 1])


class _Graph:
    """Nodes and weights of an ONNX graph in the making."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: int | list[int]) -> str:
        output = output or f"{kind.lower()}{len(self._nodes)}"
        node = helper.make_node(kind, inputs, [output])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self._nodes.append(node)
        return output

    def relu(self, source: str) -> str:
        return self.node("Relu", [source])

    def convolve(self, source: str, layer: keras.Layer, norm: keras.Layer | None, *, relu: bool = False) -> str:
        """Add a convolution with its normalisation folded in."""
        stride, dilation = layer.strides[0], layer.dilation_rate[0]
        weights = [np.asarray(weight) for weight in layer.get_weights()]
        kernel = weights[0]
        groups = 1
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel, groups = kernel.transpose(2, 3, 0, 1), kernel.shape[2]
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
        bias = weights[1] if len(weights) > 1 else np.zeros(len(kernel), np.float32)
        if norm is not None:
            gamma, beta, mean, variance = (np.asarray(weight) for weight in norm.get_weights())
            scale = gamma / np.sqrt(variance + norm.epsilon)
            kernel, bias = kernel * scale[:, np.newaxis, np.newaxis, np.newaxis], beta + (bias - mean) * scale
        reach = 0 if layer.padding == "valid" else dilation * (kernel.shape[2] // 2)
        before = reach - 1 if stride > 1 else reach  # as Keras pads even sizes
        number = len(self._weights)
        for suffix, values in (("kernel", kernel), ("bias", bias)):
            self._weights.append(numpy_helper.from_array(values.astype(np.float32), f"{suffix}{number}"))
        answer = self.node(
            "Conv",
            [source, f"kernel{number}", f"bias{number}"],
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            dilations=[dilation, dilation],
            group=groups,
            pads=[before, before, reach, reach],
        )
        return self.relu(answer) if relu else answer

    def bytes(self, shape: list[int | str], output: str, output_shape: list[int | str]) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            "names",
            [helper.make_tensor_value_info("ink", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, output_shape)],
            self._weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        serialized: bytes = model.SerializeToString()
        return serialized
