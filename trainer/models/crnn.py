"""The published CRNN's head: the rows of the feature map, read as time steps by two LSTMs.

Follows the paper's text; its script (Flatten, RepeatVector, LSTM 64 twice) is another network. The text leaves open the
second LSTM's size, taken as the first's, and the dropout's rate, taken as the CNN's.
"""

import keras

__all__ = ["head"]


def head(feature_map: keras.KerasTensor) -> keras.KerasTensor:
    """Turn a feature map (images, rows, columns, filters) into features (images, 128)."""
    _, rows, columns, filters = feature_map.shape
    # What TimeDistributed(Flatten) does, in one node.
    x = keras.layers.Reshape((rows, columns * filters), name="rows_as_steps")(feature_map)
    x = keras.layers.LSTM(128, return_sequences=True, name="lstm_1")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    return keras.layers.LSTM(128, name="lstm_2")(x)
