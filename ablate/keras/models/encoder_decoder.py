"""The encoder and decoder of the Keras book (Chollet 2021, Deep Learning with Python, 2nd edition, section 9.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.decoder_maps import enlarged_to
from ablate.keras.models.network import Network, integers
from ablate.keras.models.signature import InputForm, ModelSignature


def encoder_decoder(signature: ModelSignature, *, filters: Sequence[int] = (16, 32, 64)) -> Any:
    """Strided convolutions that make maps smaller, and transposed ones that make them as large as the image again.

    For each entry of `filters` the encoder has two 3x3 convolutions, of which the first halves height and width, and
    the decoder two transposed ones in the opposite order, of which the second doubles them; each has a ReLU. The
    book's network has ``filters=(64, 128, 256)``, and scales its images itself.

    Args:
        signature: What it is to take and to give: images whose values are scaled to about 0 to 1, and a prediction for
            each pixel.
        filters: Channels of each halving.

    Returns:
        A functional model.
    """
    x = inputs = keras.Input(signature.input_shape, name="image")
    common = {"kernel_size": 3, "padding": "same", "activation": "relu"}
    larger = []
    for level, size in enumerate(filters, 1):
        larger.append(x)
        x = layers.Conv2D(size, strides=2, name=f"encoder{level}_down", **common)(x)
        x = layers.Conv2D(size, name=f"encoder{level}_conv", **common)(x)
    for level, size in reversed(list(enumerate(filters, 1))):
        x = layers.Conv2DTranspose(size, name=f"decoder{level}_conv", **common)(x)
        x = layers.Conv2DTranspose(size, strides=2, name=f"decoder{level}_up", **common)(x)
        x = enlarged_to(x, larger.pop(), f"decoder{level}_crop")
    outputs = layers.Conv2D(signature.outputs, 3, padding="same", **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="encoder_decoder")


NETWORK = Network(
    encoder_decoder,
    {"filters": integers()},
    takes=(InputForm.IMAGES,),
    per_place=(True,),
    halvings=lambda values, input_shape: len(values["filters"]),
)
