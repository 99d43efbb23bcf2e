"""The class network: the data set's four classes, from the curves of all thirteen leads of a page.

Twelve leads pass one shared encoder and are told apart by a learned identity. The rhythm strip has an encoder of its
own that sees its ten seconds whole. A page head joins both; a head shared by all leads says what each one shows by
itself, and steadies the encoders in training.
"""

import keras
from keras import layers

from shared_preproc.spec import PreprocSpec
from trainer.models.curves import CHANNELS, LeadIdentity, Presence, encoder

__all__ = ["LEAD_LOGITS", "PAGE_LOGITS", "build_class_network"]

PAGE_LOGITS, LEAD_LOGITS = "page_logits", "lead_logits"

_LEAD_FILTERS = (24, 32, 48)
_STRIP_FILTERS = (24, 32, 48, 64)
_LEAD_FEATURES, _PAGE_FEATURES = 48, 64
_STRIP_DROPOUT, _HEAD_DROPOUT = 0.3, 0.5


def build_class_network(spec: PreprocSpec, classes: int) -> keras.Model:
    """Build an untrained network for ``spec``'s traces.

    Takes float32 (pages, samples, 3), millivolt, NaN where nothing was recorded; gives a dict of float32:
    `PAGE_LOGITS` (pages, classes) and `LEAD_LOGITS` (pages, leads, classes), page order.
    """
    counts = [spec.trace.samples(box, spec.layout) for _, box in spec.layout.lead_boxes]
    lead_count, samples, strip_samples = len(counts) - 1, counts[0], counts[-1]
    traces = keras.Input(spec.tensor_shape, name="traces")
    curves = Presence(name="presence")(traces)
    leads = keras.ops.reshape(curves[:, : lead_count * samples], (-1, samples, CHANNELS))
    strip = curves[:, lead_count * samples :]

    encoded = encoder(samples, _LEAD_FILTERS, "lead_encoder")(leads)
    by_lead = LeadIdentity(name="lead_identity")(keras.ops.reshape(encoded, (-1, lead_count, encoded.shape[-1])))
    by_lead = layers.Dense(_LEAD_FEATURES, activation="relu", name="lead_features")(by_lead)
    together = layers.Dropout(_HEAD_DROPOUT)(layers.Flatten()(by_lead))
    together = layers.Dense(_PAGE_FEATURES, activation="relu", name="leads_together")(together)
    rhythm = layers.Dropout(_STRIP_DROPOUT)(encoder(strip_samples, _STRIP_FILTERS, "strip_encoder")(strip))
    rhythm = layers.Dense(_PAGE_FEATURES, activation="relu", name="rhythm")(rhythm)
    joined = layers.Dropout(_HEAD_DROPOUT)(layers.Concatenate()([together, rhythm]))
    page = layers.Dense(classes, name=PAGE_LOGITS)(joined)

    of_strip = layers.Dense(_LEAD_FEATURES, activation="relu", name="strip_features")(rhythm)
    of_strip = layers.Reshape((1, _LEAD_FEATURES))(of_strip)
    each = layers.Dense(classes, name=LEAD_LOGITS)(layers.Concatenate(axis=1)([by_lead, of_strip]))
    return keras.Model(traces, {PAGE_LOGITS: page, LEAD_LOGITS: each}, name="class_network")
