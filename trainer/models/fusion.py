"""The fusion network: one network over the curves of all thirteen leads of a page. Knows no data and no training.

Twelve leads pass one shared encoder and are told apart by a learned identity; the rhythm strip has an encoder of its
own that sees its ten seconds whole, since regularity is what an abnormal heartbeat is about. A page head joins both;
a head shared by all leads says what each one shows by itself, and steadies the encoders in training.

Residual blocks: He et al. 2016, in one dimension as Hannun et al. 2019 (Nature Medicine 25, 65) use them on ECGs.
"""

import keras
from keras import layers

from shared_preproc.spec import PreprocSpec

__all__ = ["EMBEDDING", "LEAD_LOGITS", "PAGE_LOGITS", "build_fusion"]

PAGE_LOGITS, LEAD_LOGITS, EMBEDDING = "page_logits", "lead_logits", "embedding"

_LEAD_FILTERS = (24, 32, 48)
_STRIP_FILTERS = (24, 32, 48, 64)
_STEM_WIDTH, _BLOCK_WIDTH = 7, 5
_LEAD_FEATURES, _PAGE_FEATURES = 48, 64
_BLOCK_DROPOUT, _STRIP_DROPOUT, _HEAD_DROPOUT = 0.1, 0.3, 0.5


def build_fusion(spec: PreprocSpec, classes: int) -> keras.Model:
    """Build an untrained network for ``spec``'s traces.

    Takes float32 (pages, samples, 3), millivolt; gives a dict of float32: `PAGE_LOGITS` (pages, classes), `LEAD_LOGITS`
    (pages, leads, classes), page order, and `EMBEDDING` (pages, 128), what the page head judges by.
    """
    counts = [spec.trace.samples(box, spec.layout) for _, box in spec.layout.lead_boxes]
    lead_count, samples, strip_samples = len(counts) - 1, counts[0], counts[-1]
    traces = keras.Input(spec.tensor_shape, name="traces")
    leads = keras.ops.reshape(traces[:, : lead_count * samples], (-1, samples, traces.shape[-1]))
    strip = traces[:, lead_count * samples :]

    encoded = _encoder(samples, _LEAD_FILTERS, "lead_encoder")(leads)
    by_lead = LeadIdentity(name="lead_identity")(keras.ops.reshape(encoded, (-1, lead_count, encoded.shape[-1])))
    by_lead = layers.Dense(_LEAD_FEATURES, activation="relu", name="lead_features")(by_lead)
    together = layers.Dropout(_HEAD_DROPOUT)(layers.Flatten()(by_lead))
    together = layers.Dense(_PAGE_FEATURES, activation="relu", name="leads_together")(together)
    rhythm = layers.Dropout(_STRIP_DROPOUT)(_encoder(strip_samples, _STRIP_FILTERS, "strip_encoder")(strip))
    rhythm = layers.Dense(_PAGE_FEATURES, activation="relu", name="rhythm")(rhythm)
    embedding = layers.Concatenate(name=EMBEDDING)([together, rhythm])
    page = layers.Dense(classes, name=PAGE_LOGITS)(layers.Dropout(_HEAD_DROPOUT)(embedding))

    of_strip = layers.Dense(_LEAD_FEATURES, activation="relu", name="strip_features")(rhythm)
    of_strip = layers.Reshape((1, _LEAD_FEATURES))(of_strip)
    each = layers.Dense(classes, name=LEAD_LOGITS)(layers.Concatenate(axis=1)([by_lead, of_strip]))
    return keras.Model(traces, {PAGE_LOGITS: page, LEAD_LOGITS: each, EMBEDDING: embedding}, name="fusion")


class LeadIdentity(layers.Layer):  # type: ignore[misc]
    """Adds to each lead's features (pages, leads, features) what is learned of that lead's place."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Start from no difference between leads."""
        self.identity = self.add_weight(shape=input_shape[1:], initializer="zeros", name="identity")

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Tell the leads apart."""
        return features + self.identity


def _encoder(samples: int, filters: tuple[int, ...], name: str) -> keras.Model:
    """Curves (curves, samples, 3) to features: average and maximum over time of the last block."""
    curve = keras.Input((samples, 3))
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
