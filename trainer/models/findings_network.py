"""The findings network: what a recording shows, whichever cart printed it and however much of it is there.

Twelve leads pass one shared encoder, the rhythm strip another. Regularity is measured besides: the strip's
autocorrelation has a peak at the interval between beats, and none in atrial fibrillation.
"""

import keras
from keras import layers, ops

from shared_preproc.spec import PreprocSpec
from trainer.models.curves import CHANNELS, LeadIdentity, LeadScale, Presence, encoder

__all__ = ["CLASS_LOGITS", "FINDING_LOGITS", "build_findings_network"]

FINDING_LOGITS, CLASS_LOGITS = "finding_logits", "class_logits"

_LEAD_FILTERS = (16, 24, 32)
_STRIP_FILTERS = (24, 32, 48, 64)
_LEAD_FEATURES, _TOGETHER_FEATURES, _STRIP_FEATURES, _REGULARITY_FEATURES = 64, 96, 64, 32
_STRIP_DROPOUT, _REGULARITY_DROPOUT, _LEADS_DROPOUT, _HEAD_DROPOUT = 0.3, 0.2, 0.5, 0.5
_INTERVALS_S = (0.2, 2.5)  # between beats: 300 to 24 a minute
_SMOOTHING_S = 0.1  # width of a QRS
_CLIPPED_AT = 4.0  # standard deviations, so that one tall beat does not outweigh the rest


def build_findings_network(spec: PreprocSpec, findings: int, classes: int) -> keras.Model:
    """Build an untrained network for ``spec``'s traces.

    Takes float32 (pages, samples, 3), millivolt, NaN where nothing was recorded; gives a dict of float32:
    `FINDING_LOGITS` (pages, findings), each for a sigmoid, and `CLASS_LOGITS` (pages, classes), for a softmax.
    """
    counts = [spec.trace.samples(box, spec.layout) for _, box in spec.layout.lead_boxes]
    lead_count, samples, strip_samples = len(counts) - 1, counts[0], counts[-1]
    traces = keras.Input(spec.tensor_shape, name="traces")
    curves = Presence(name="presence")(traces)
    leads = ops.reshape(curves[:, : lead_count * samples], (-1, samples, CHANNELS))
    strip = curves[:, lead_count * samples :]

    encoded = encoder(samples, _LEAD_FILTERS, "lead_encoder")(leads)
    by_lead = LeadScale(name="lead_scale")(ops.reshape(encoded, (-1, lead_count, encoded.shape[-1])))
    by_lead = LeadIdentity(name="lead_identity")(by_lead)
    by_lead = layers.Dense(_LEAD_FEATURES, activation="relu", name="lead_features")(by_lead)
    together = layers.Dropout(_LEADS_DROPOUT)(layers.Flatten()(by_lead))
    together = layers.Dense(_TOGETHER_FEATURES, activation="relu", name="leads_together")(together)
    rhythm = layers.Dropout(_STRIP_DROPOUT)(encoder(strip_samples, _STRIP_FILTERS, "strip_encoder")(strip))
    rhythm = layers.Dense(_STRIP_FEATURES, activation="relu", name="rhythm")(rhythm)
    joined = layers.Concatenate()([together, rhythm, _regularity(strip, spec.trace.rate_hz)])
    joined = layers.Dropout(_HEAD_DROPOUT)(joined)
    outputs = {
        FINDING_LOGITS: layers.Dense(findings, name=FINDING_LOGITS)(joined),
        CLASS_LOGITS: layers.Dense(classes, name=CLASS_LOGITS)(joined),
    }
    return keras.Model(traces, outputs, name="findings_network")


def _regularity(strip: keras.KerasTensor, rate_hz: float) -> keras.KerasTensor:
    """Features of the strip's autocorrelation, by stroke height and by steepness."""
    correlation = Autocorrelation(rate_hz, name="autocorrelation")(strip)
    x = layers.Conv1D(16, 7, padding="same", activation="relu")(correlation)
    x = layers.Conv1D(16, 5, padding="same", activation="relu")(layers.MaxPooling1D(2)(x))
    coarse = layers.Flatten()(layers.AveragePooling1D(3)(correlation))
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(x), coarse])
    return layers.Dense(_REGULARITY_FEATURES, activation="relu", name="regularity")(
        layers.Dropout(_REGULARITY_DROPOUT)(x)
    )


class Autocorrelation(layers.Layer):  # type: ignore[misc]
    """How alike a strip (pages, samples, 4) is to itself some time later, -1 to 1: (pages, intervals, 2)."""

    def __init__(self, rate_hz: float, **options: object) -> None:
        """``rate_hz`` is the strip's samples a second."""
        super().__init__(**options)
        self.rate_hz = rate_hz
        first, last = (round(interval_s * rate_hz) for interval_s in _INTERVALS_S)
        self.lags = range(first, last)

    def call(self, strip: keras.KerasTensor) -> keras.KerasTensor:
        """Correlate the first part of the strip with what stands each lag later."""
        signal, top, bottom, there = (strip[..., channel] for channel in range(CHANNELS))
        steepness = ops.pad(ops.abs(signal[:, 2:] - signal[:, :-2]), [[0, 0], [1, 1]])
        return ops.stack([self._of(energy, there) for energy in (top - bottom, steepness)], axis=-1)

    def _of(self, energy: keras.KerasTensor, there: keras.KerasTensor) -> keras.KerasTensor:
        width = round(_SMOOTHING_S * self.rate_hz)
        smooth = ops.conv(energy[..., None], ops.ones((width, 1, 1), energy.dtype) / width, padding="same")[..., 0]
        mean = ops.sum(smooth * there, axis=1, keepdims=True) / (ops.sum(there, axis=1, keepdims=True) + 1)
        highest = _CLIPPED_AT * ops.std(smooth, axis=1, keepdims=True)
        centred = ops.minimum((smooth - mean) * there, highest)
        kept = centred.shape[1] - self.lags.stop
        base = centred[:, :kept]
        later = ops.stack([centred[:, lag : lag + kept] for lag in self.lags], axis=1)
        products = ops.matmul(later, base[..., None])[..., 0]
        squares = ops.sum(base**2, axis=1, keepdims=True) * ops.sum(later**2, axis=2)
        return products / ops.sqrt(squares + 1e-6)
