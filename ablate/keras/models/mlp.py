"""A network of dense layers, for rows of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.network import DROPOUT, MOMENTUM, Network, integers
from ablate.keras.models.signature import InputForm, ModelSignature


def mlp(
    signature: ModelSignature,
    *,
    units: Sequence[int] = (64, 64),
    dropout: float = 0.2,
    batch_norm_momentum: float = 0.9,
) -> Any:
    """Dense layers, each followed by batch norm, ReLU and dropout.

    Args:
        signature: What it is to take and to give: rows of numbers; images and series are flattened.
        units: Units of each layer.
        dropout: Share of features dropped behind each layer.
        batch_norm_momentum: Momentum of the moving averages.

    Returns:
        A functional model.
    """
    flat = signature.form is InputForm.TABLE
    x = inputs = keras.Input(signature.input_shape, name="row" if flat else "example")
    if not flat:
        x = layers.Flatten(name="flatten")(x)
    for number, size in enumerate(units, 1):
        x = layers.Dense(size, use_bias=False, name=f"block{number}_dense")(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum, name=f"block{number}_bn")(x)
        x = layers.ReLU(name=f"block{number}_relu")(x)
        x = layers.Dropout(dropout, name=f"block{number}_dropout")(x)
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="mlp")


NETWORK = Network(
    mlp,
    {"units": integers(), "dropout": DROPOUT, "batch_norm_momentum": MOMENTUM},
    takes=(InputForm.TABLE, InputForm.SERIES, InputForm.IMAGES),
)
