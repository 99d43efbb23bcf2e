"""The published CNN's head: 512 dense units over the flattened feature map, half of them dropped in training."""

import keras

__all__ = ["head"]


def head(feature_map: keras.KerasTensor) -> keras.KerasTensor:
    """Turn a feature map (images, rows, columns, filters) into features (images, 512)."""
    x = keras.layers.Flatten(name="flatten")(feature_map)
    x = keras.layers.Dense(512, activation="relu", name="dense")(x)
    return keras.layers.Dropout(0.5, name="dropout")(x)
