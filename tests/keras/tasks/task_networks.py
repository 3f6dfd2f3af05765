"""Small networks for tests of tasks, as a user would write them."""

from __future__ import annotations

import keras
from keras import layers


def rows(input_shape, classes, activation=None):
    inputs = keras.Input(input_shape)
    x = layers.Dense(8, activation="relu", name="hidden")(inputs)
    x = layers.Dropout(0.2, name="drop")(x)
    return keras.Model(inputs, layers.Dense(classes, activation=activation, name="out")(x))


def pixels(input_shape, classes, activation="softmax", filters=4):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name="conv")(inputs)
    x = layers.BatchNormalization(momentum=0.9, name="bn")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(filters, 3, padding="same", activation="relu", name="conv_2")(x)
    return keras.Model(inputs, layers.Conv2D(classes, 1, activation=activation, name="out")(x))


def images(input_shape, classes, activation="softmax"):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(classes, activation=activation, name="out")(x))


def flipped(input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.RandomFlip("horizontal", name="flip")(inputs)
    x = layers.RandomRotation(0.2, name="rotation")(x)
    x = layers.RandomZoom(0.2, name="zoom")(x)
    return keras.Model(inputs, layers.Conv2D(classes, 3, padding="same", activation="softmax", name="out")(x))


def steps(input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Conv1D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="out")(x))
