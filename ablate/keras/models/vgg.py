"""Networks in the pattern of VGG16 (Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556), with batch norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.network import DROPOUT, MOMENTUM, Network, integers, unequal_lengths
from ablate.keras.models.signature import InputForm, ModelSignature


def vgg(
    signature: ModelSignature,
    *,
    filters: Sequence[int] = (16, 32, 64),
    convolutions: Sequence[int] = (2, 2, 3),
    dense: Sequence[int] = (),
    dropout: float = 0.5,
    batch_norm_momentum: float = 0.9,
) -> Any:
    """Blocks of 3x3 convolutions, each followed by a max pooling that halves height and width.

    A convolution has no bias and is followed by batch norm and ReLU. The head is global average pooling, then dense
    layers if any. VGG16 itself has ``filters=(64, 128, 256, 512, 512)``, ``convolutions=(2, 2, 3, 3, 3)``,
    ``dense=(4096, 4096)``, flattens, and has no batch norm.

    Args:
        signature: What it is to take and to give: images whose values are scaled to about 0 to 1.
        filters: Channels of each block.
        convolutions: Number of convolutions of each block, as many entries as `filters`.
        dense: Units of each dense layer before the classifier.
        dropout: Share of features dropped in front of the classifier, and behind each dense layer.
        batch_norm_momentum: Momentum of the moving averages.

    Returns:
        A functional model.
    """
    inputs = keras.Input(signature.input_shape, name="image")
    x = inputs
    for number, (size, depth) in enumerate(zip(filters, convolutions, strict=True), 1):
        for step in range(1, depth + 1):
            x = layers.Conv2D(size, 3, padding="same", use_bias=False, name=f"block{number}_conv{step}")(x)
            x = layers.BatchNormalization(momentum=batch_norm_momentum, name=f"block{number}_bn{step}")(x)
            x = layers.ReLU(name=f"block{number}_relu{step}")(x)
        x = layers.MaxPooling2D(2, name=f"block{number}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    for number, units in enumerate(dense, 1):
        x = layers.Dense(units, activation="relu", name=f"head_dense{number}")(x)
        x = layers.Dropout(dropout, name=f"head_dropout{number}")(x)
    if not dense:
        x = layers.Dropout(dropout, name="head_dropout")(x)
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="vgg")


NETWORK = Network(
    vgg,
    {
        "filters": integers(),
        "convolutions": integers(),
        "dense": integers(empty=True),
        "dropout": DROPOUT,
        "batch_norm_momentum": MOMENTUM,
    },
    takes=(InputForm.IMAGES,),
    halvings=lambda values, input_shape: len(values["filters"]),
    misfits=lambda values, signature: unequal_lengths(values, "filters", "convolutions"),
)
