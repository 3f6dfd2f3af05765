"""Builders of small networks as strangers write them, for images of 8 x 8 digits."""

from __future__ import annotations

import keras
from keras import layers


def sequential(input_shape, classes):
    """A stack of layers."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Dropout(0.2, name="dropout"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(classes, activation="softmax", name="classifier"),
        ],
        name="stack",
    )
