"""Layers that both networks over curves share.

Residual blocks: He et al. 2016, in one dimension as Hannun et al. 2019 (Nature Medicine 25, 65) use them on ECGs.
"""

import keras
from keras import layers, ops

__all__ = ["CHANNELS", "LeadIdentity", "LeadScale", "Presence", "encoder"]

CHANNELS = 4
"""Signal, top, bottom, and whether anything is there."""

_STEM_WIDTH, _BLOCK_WIDTH = 7, 5
_BLOCK_DROPOUT = 0.1


class Presence(layers.Layer):  # type: ignore[misc]
    """Replace NaN by 0 and say in a fourth channel where something was recorded: 1, or 0."""

    def call(self, traces: keras.KerasTensor) -> keras.KerasTensor:
        """Take (pages, samples, 3), millivolt or NaN; give (pages, samples, 4), finite."""
        missing = ops.isnan(traces)
        there = 1.0 - ops.cast(missing[..., :1], traces.dtype)
        # With isnan itself as the condition: tf2onnx turns any other choice into a product, in which NaN survives.
        return ops.concatenate([ops.where(missing, 0.0, traces), there], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One channel more."""
        return (*input_shape[:-1], CHANNELS)


class LeadIdentity(layers.Layer):  # type: ignore[misc]
    """Adds to each lead's features (pages, leads, features) what is learned of that lead's place."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Start from no difference between leads."""
        self.identity = self.add_weight(shape=input_shape[1:], initializer="zeros", name="identity")

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Tell the leads apart."""
        return features + self.identity


class LeadScale(layers.Layer):  # type: ignore[misc]
    """Weighs each lead's features (pages, leads, features) by what is learned of that lead's place."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Start from no difference between leads."""
        self.scale = self.add_weight(shape=input_shape[1:], initializer="ones", name="scale")

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Weigh the leads."""
        return features * self.scale


def encoder(samples: int, filters: tuple[int, ...], name: str) -> keras.Model:
    """Curves (curves, samples, `CHANNELS`) to features: average and maximum over time of the last block."""
    curve = keras.Input((samples, CHANNELS))
    x = layers.Conv1D(filters[0], _STEM_WIDTH, padding="same", use_bias=False)(curve)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for count in filters:
        x = _block(x, count)
    pooled = [layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)]
    return keras.Model(curve, layers.Concatenate()(pooled), name=name)


def _block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """Halve the time axis in a residual block."""
    y = layers.Conv1D(filters, _BLOCK_WIDTH, strides=2, padding="same", use_bias=False)(x)
    y = layers.SpatialDropout1D(_BLOCK_DROPOUT)(layers.ReLU()(layers.BatchNormalization()(y)))
    y = layers.Conv1D(filters, _BLOCK_WIDTH, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    shortcut = layers.Conv1D(filters, 1, strides=2, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.Add()([y, shortcut]))
