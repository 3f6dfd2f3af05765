"""A convolutional network for series and texts (Kim 2014, https://arxiv.org/abs/1408.5882, for texts)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.network import DROPOUT, MOMENTUM, Network, integers
from ablate.keras.models.sequence_input import sequence_input
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.study.setting import whole


def convnet_1d(
    signature: ModelSignature,
    *,
    embedding: int = 32,
    filters: Sequence[int] = (32, 64),
    kernel: int = 5,
    dropout: float = 0.2,
    batch_norm_momentum: float = 0.9,
) -> Any:
    """Convolutions with batch norm and ReLU, each followed by a max pooling of two steps, and a mean over all.

    Args:
        signature: What it is to take and to give: series, or texts, whose tokens are embedded.
        embedding: Channels of an embedded token.
        filters: Channels of each convolution.
        kernel: Steps that a convolution covers.
        dropout: Share of features dropped in front of the last layer.
        batch_norm_momentum: Momentum of the moving averages.

    Returns:
        A functional model.
    """
    inputs, x = sequence_input(signature, embedding, masked=False)
    for number, size in enumerate(filters, 1):
        x = layers.Conv1D(size, kernel, padding="same", use_bias=False, name=f"block{number}_conv")(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum, name=f"block{number}_bn")(x)
        x = layers.ReLU(name=f"block{number}_relu")(x)
        x = layers.MaxPooling1D(2, padding="same", name=f"block{number}_pool")(x)
    x = layers.GlobalAveragePooling1D(name="head_pool")(x)
    x = layers.Dropout(dropout, name="head_dropout")(x)
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="convnet_1d")


NETWORK = Network(
    convnet_1d,
    {
        "embedding": whole(1),
        "filters": integers(),
        "kernel": whole(1),
        "dropout": DROPOUT,
        "batch_norm_momentum": MOMENTUM,
    },
    takes=(InputForm.SERIES, InputForm.TEXT),
)
