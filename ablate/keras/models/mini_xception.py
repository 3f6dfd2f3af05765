"""A small Xception (Chollet 2017, https://arxiv.org/abs/1610.02357), sized to its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.network import DROPOUT, MOMENTUM, Network, integers
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.study.setting import optional


def mini_xception(
    signature: ModelSignature,
    *,
    filters: Sequence[int] | None = None,
    stem: Sequence[int] | None = None,
    dropout: float = 0.25,
    batch_norm_momentum: float = 0.9,
) -> Any:
    """A stem convolution, one residual block of separable convolutions for each entry of `filters`, and a small head.

    A block is twice (batch norm, ReLU, 3x3 separable convolution) and a max pooling that halves height and width; its
    shortcut passes a 1x1 convolution of stride 2. The stem is a plain convolution, because the channels of an image are
    strongly correlated.

    Args:
        signature: What it is to take and to give: images whose values are scaled to about 0 to 1.
        filters: Channels of each block; by default as many blocks as the image bears (`default_filters`).
        stem: Channels and kernel size of the stem; by default the first block's channels, and 3 up to 32 pixels, 5 from
            there on.
        dropout: Share of features dropped in front of the classifier; 0.5 suits wide networks and large images.
        batch_norm_momentum: Momentum of the moving averages; Keras's 0.99 needs thousands of steps to settle.

    Returns:
        A functional model.
    """
    sizes = tuple(filters) if filters is not None else default_filters(signature.input_shape)
    channels, kernel = stem if stem is not None else (sizes[0], 3 if min(signature.input_shape[:2]) <= 32 else 5)

    inputs = keras.Input(signature.input_shape, name="image")
    x = layers.Conv2D(channels, kernel, padding="same", use_bias=False, name="stem_conv")(inputs)
    for number, size in enumerate(sizes, 1):
        shortcut = x
        for half in (1, 2):
            name = f"block{number}_{{}}{half}"
            x = layers.BatchNormalization(momentum=batch_norm_momentum, name=name.format("bn"))(x)
            x = layers.ReLU(name=name.format("relu"))(x)
            x = layers.SeparableConv2D(size, 3, padding="same", use_bias=False, name=name.format("sepconv"))(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{number}_pool")(x)
        shortcut = layers.Conv2D(size, 1, strides=2, padding="same", use_bias=False, name=f"block{number}_projection")(
            shortcut
        )
        x = layers.Add(name=f"block{number}_add")([x, shortcut])
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = layers.Dropout(dropout, name="head_dropout")(x)
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="mini_xception")


def default_filters(input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Channels of the blocks for an image of this size.

    Args:
        input_shape: Height, width, channels.

    Returns:
        Two blocks up to 15 pixels, three up to 63, four up to 127, five from 128 on; 16 channels in the first block of
        images below 32 pixels, else 32; each block has twice the channels of the one before.
    """
    size = min(input_shape[:2])
    blocks = next(number for number, below in ((2, 16), (3, 64), (4, 128), (5, float("inf"))) if size < below)
    first = 16 if size < 32 else 32
    return tuple(first * 2**block for block in range(blocks))


NETWORK = Network(
    mini_xception,
    {
        "filters": optional(integers()),
        "stem": optional(integers(length=2)),
        "dropout": DROPOUT,
        "batch_norm_momentum": MOMENTUM,
    },
    takes=(InputForm.IMAGES,),
    halvings=lambda values, input_shape: len(values["filters"] or default_filters(input_shape)),
)
