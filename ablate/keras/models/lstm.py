"""A recurrent network that reads in both directions.

Hochreiter and Schmidhuber 1997; Schuster and Paliwal 1997; https://keras.io/api/layers/recurrent_layers/bidirectional/.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ablate.keras.models.network import DROPOUT, Network, integers
from ablate.keras.models.sequence_input import sequence_input
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.study.setting import whole


def lstm(
    signature: ModelSignature,
    *,
    embedding: int = 32,
    units: Sequence[int] = (32,),
    dropout: float = 0.2,
) -> Any:
    """Bidirectional LSTM layers, of which the last gives its states at the ends, or those of every step.

    Places that only fill a text up are left out.

    Args:
        signature: What it is to take and to give: series, or texts, whose tokens are embedded.
        embedding: Channels of an embedded token.
        units: Units of each layer, in each of its two directions.
        dropout: Share of features dropped in front of the last layer.

    Returns:
        A functional model.
    """
    inputs, x = sequence_input(signature, embedding, masked=True)
    for number, size in enumerate(units, 1):
        every_step = signature.per_place or number < len(units)
        both = layers.Bidirectional(layers.LSTM(size, return_sequences=every_step, name="lstm"), name=f"lstm{number}")
        x = both(x)
    x = layers.Dropout(dropout, name="head_dropout")(x)
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="lstm")


NETWORK = Network(
    lstm,
    {"embedding": whole(1), "units": integers(), "dropout": DROPOUT},
    takes=(InputForm.SERIES, InputForm.TEXT),
    per_place=(False, True),
)
