"""A small U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.decoder_maps import enlarged_to
from ablate.keras.models.network import DROPOUT, MOMENTUM, Network, integers
from ablate.keras.models.signature import InputForm, ModelSignature


def unet(
    signature: ModelSignature,
    *,
    filters: Sequence[int] = (8, 16, 32),
    dropout: float = 0.2,
    batch_norm_momentum: float = 0.9,
) -> Any:
    """An encoder and a decoder with a level for each entry of `filters`, and the encoder's maps beside the decoder's.

    A level is twice (3x3 convolution, batch norm, ReLU). In the encoder a max pooling stands between two levels, in the
    decoder a 2x2 transposed convolution, whose map is put beside that of the encoder's level. Convolutions are padded
    and normalised, unlike those of the paper, so that the output is as large as the input, whatever its size is.

    Args:
        signature: What it is to take and to give: images whose values are scaled to about 0 to 1, and a prediction for
            each pixel.
        filters: Channels of each level, from the outer to the innermost.
        dropout: Share of features dropped behind the innermost level.
        batch_norm_momentum: Momentum of the moving averages.

    Returns:
        A functional model.
    """
    x = inputs = keras.Input(signature.input_shape, name="image")
    maps = []
    for level, size in enumerate(filters, 1):
        if level > 1:
            x = layers.MaxPooling2D(2, padding="same", name=f"pool{level}")(x)
        x = _level(x, size, f"encoder{level}", batch_norm_momentum)
        maps.append(x)
    x = layers.Dropout(dropout, name="dropout")(maps.pop())
    for level, size in reversed(list(enumerate(filters[:-1], 1))):
        skip = maps.pop()
        x = layers.Conv2DTranspose(size, 2, strides=2, name=f"up{level}")(x)
        x = enlarged_to(x, skip, f"crop{level}")
        x = layers.Concatenate(name=f"skip{level}")([skip, x])
        x = _level(x, size, f"decoder{level}", batch_norm_momentum)
    outputs = layers.Conv2D(signature.outputs, 1, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="unet")


def _level(x: Any, size: int, name: str, momentum: float) -> Any:
    for step in (1, 2):
        x = layers.Conv2D(size, 3, padding="same", use_bias=False, name=f"{name}_conv{step}")(x)
        x = layers.BatchNormalization(momentum=momentum, name=f"{name}_bn{step}")(x)
        x = layers.ReLU(name=f"{name}_relu{step}")(x)
    return x


NETWORK = Network(
    unet,
    {"filters": integers(), "dropout": DROPOUT, "batch_norm_momentum": MOMENTUM},
    takes=(InputForm.IMAGES,),
    per_place=(True,),
    halvings=lambda values, input_shape: len(values["filters"]) - 1,
)
