"""The published lead-image networks, as Keras models.

Each takes one lead image, uint8 (images, height_px, width_px, 1) with values 0 and 255, and gives the probabilities of
the classes, float32 (images, classes).
"""

import keras

from trainer.config import Architecture
from trainer.models import cnn, crnn

__all__ = ["build", "fold_channels"]

_HEADS = {"cnn": cnn.head, "crnn": crnn.head}


def build(architecture: Architecture, height_px: int, width_px: int, classes: int, *, channels: int = 3) -> keras.Model:
    """Build an untrained network. ``channels`` is how many equal copies of the image the first convolution sees."""
    image = keras.Input((height_px, width_px, 1), dtype="uint8", name="mask")
    x = keras.layers.Rescaling(1 / 255, name="unit_range")(image)
    if channels > 1:
        x = keras.layers.Concatenate(name="equal_channels")([x] * channels)
    for filters in (32, 64, 128):
        x = keras.layers.Conv2D(filters, 3, activation="relu", name=f"conv_{filters}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool_{filters}")(x)
    features = _HEADS[architecture](x)
    output = keras.layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return keras.Model(image, output, name=architecture)


def fold_channels(model: keras.Model, architecture: Architecture) -> keras.Model:
    """Give the one-channel network that answers as ``model`` does.

    Equal channels meet the first kernel only through its sum over them; a third of that layer's work is left.
    """
    _, height_px, width_px, _ = model.input_shape
    folded = build(architecture, height_px, width_px, model.output_shape[-1], channels=1)
    first_kernel, *rest = model.get_weights()
    folded.set_weights([first_kernel.sum(axis=2, keepdims=True), *rest])
    return folded
